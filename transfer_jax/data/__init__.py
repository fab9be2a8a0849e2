"""Images with and without labels: sources, domains, streams and transforms (NumPy)."""

from transfer_jax.data import (
    camvid,
    digits,
    domains,
    fake,
    images,
    mnist,
    scenes,
    sources,
    streams,
    syn_digits,
    transforms,
    voc,
)
from transfer_jax.data.domains import Domain, MissingData, describe, load
from transfer_jax.data.sources import Arrays, Images, Source
from transfer_jax.data.streams import (
    Batches,
    Stream,
    batches,
    channel_mean,
    labelled,
    normalise,
    unlabelled,
    zipped,
)

__all__ = [
    'Arrays',
    'Batches',
    'Domain',
    'Images',
    'MissingData',
    'Source',
    'Stream',
    'batches',
    'camvid',
    'channel_mean',
    'describe',
    'digits',
    'domains',
    'fake',
    'images',
    'labelled',
    'load',
    'mnist',
    'normalise',
    'scenes',
    'sources',
    'streams',
    'syn_digits',
    'transforms',
    'unlabelled',
    'voc',
    'zipped',
]
