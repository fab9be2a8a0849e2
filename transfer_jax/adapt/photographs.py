"""The photographs of a run: labelled ones of the source, unlabelled of the target."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax import data, runs, selection, training
from transfer_jax.adapt import reading
from transfer_jax.recipes import encoders
from transfer_jax.training import TrainState
from transfer_jax.types import Batch

HELD_OUT = 0.2  # share of each class of the source that is held out for validation
FEWEST = 3  # images of a class from which one is held out
LABELLED_SHARE = 0.25  # of the source's batches, for labelled target images
EVALUATION_BATCH = 50


class Photographs(NamedTuple):
    """The data of one run. The type of the target's training images has no labels."""

    classes: tuple[str, ...]
    source: data.Arrays
    source_validation: data.Arrays
    target: data.Images
    target_test: data.Arrays | None  # only evaluation reads it
    encoder: encoders.Encoder
    seed: int  # of the run, for its streams


def of_run(
    seed: int,
    classes: tuple[str, ...],
    parts: Mapping[str, reading.Decoded],
    encoder: encoders.Encoder,
) -> Photographs:
    """The data of a seed.

    Args:
      parts: 'source' and 'target', perhaps 'target_labelled' and 'target_test'. The
        labels of 'target' are not read.
    """

    def labelled(name):
        return data.Arrays(parts[name].image, parts[name].label, classes)

    training, validation = hold_out(labelled('source'), seed)
    if 'target_labelled' in parts:
        training = with_labelled(training, labelled('target_labelled'))
    test = labelled('target_test') if 'target_test' in parts else None
    target = data.Images(parts['target'].image)
    return Photographs(classes, training, validation, target, test, encoder, seed)


def hold_out(source: data.Arrays, seed: int) -> tuple[data.Arrays, data.Arrays]:
    """(training part, validation part) of the source, a fifth of each class.

    A class of fewer than 3 images has none in the validation part. If no class has
    more, validation is on the training images themselves.
    """
    rng = np.random.default_rng([seed, 1])
    held = []
    for label in np.unique(source.label):
        rows = rng.permutation(np.flatnonzero(source.label == label))
        if len(rows) >= FEWEST:
            held.append(rows[: max(1, round(HELD_OUT * len(rows)))])
    if not held:
        return source, source
    validation = np.sort(np.concatenate(held))
    rest = np.setdiff1d(np.arange(len(source)), validation)
    return source.take(rest), source.take(validation)


def with_labelled(source: data.Arrays, labelled: data.Arrays) -> data.Arrays:
    """The source and labelled target images, these repeated to a quarter of all."""
    wanted = round(len(source) * LABELLED_SHARE / (1 - LABELLED_SHARE))
    times = max(1, round(wanted / len(labelled)))
    return data.Arrays(
        np.concatenate([source.image, *[labelled.image] * times]),
        np.concatenate([source.label, *[labelled.label] * times]),
        source.classes,
    )


def stream(
    photographs: Photographs,
    batch: int,
    domains: Sequence[str],
    *,
    transform: data.transforms.Transform | None = None,
    balanced: bool = False,
) -> data.Stream:
    """Normalised training batches of 'source' and perhaps 'target'.

    Args:
      transform: of every training image.
      balanced: source batches have equally many images of each class.
    """
    make = functools.partial(
        _stream, batch=batch, seed=photographs.seed, transform=transform
    )
    streams = {'source': make('source', photographs.source, balanced=balanced)}
    if 'target' in domains:
        streams['target'] = make('target', photographs.target)
    return data.zipped(**streams).map(photographs.encoder.scale)


def flips_and_zooms() -> data.transforms.Transform:
    """Half of the images mirrored; each zoomed into a part of at least half of it."""
    return data.transforms.chain(data.transforms.flip(), data.transforms.zoom(0.5))


def held_out(photographs: Photographs) -> runs.HeldOut:
    """What the evaluations of a run read; at most 2,000 images for each validator."""
    rows = judged(len(photographs.target))
    read = functools.partial(batches, scale=photographs.encoder.scale)
    test = photographs.target_test
    return runs.HeldOut(
        read(photographs.source_validation),
        read(data.Images(photographs.target.image[rows])),
        None if test is None else read(test),
    )


def judged(count: int) -> np.ndarray:
    """The rows of at most 2,000 of `count` images, drawn at random, in order."""
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[: selection.MAX_IMAGES])


def batches(source: data.Source, scale) -> Sequence[Batch]:
    """All images in order, as inputs of the network."""
    return data.batches(source, min(EVALUATION_BATCH, len(source))).map(scale)


def inputs(photographs: Photographs) -> runs.Inputs:
    """How a photograph becomes an input of the network."""
    height, width, channels = photographs.source.image.shape[1:]
    encoder = photographs.encoder
    mean, std = (tuple(map(float, part)) for part in (encoder.mean, encoder.std))
    return runs.Inputs((height, width), channels, mean, std)


def before(photographs: Photographs) -> TrainState | None:
    """The pretrained encoder, as the state that a run starts from."""
    encoder = photographs.encoder
    if encoder.params is None:
        return None
    return training.state.create(
        {'encoder': encoder.params}, {'encoder': encoder.model_state}, {}
    )


def _stream(name, part, *, batch, seed, transform, **options):
    part = _filled(part, batch)
    make = data.labelled if isinstance(part, data.Arrays) else data.unlabelled
    return make(
        part, batch_size=batch, seed=seed, transform=transform, name=name, **options
    )


def _filled(part, batch):
    """At least `batch` images: of too few, some come twice in a batch."""
    if len(part) >= batch:
        return part
    rows = np.resize(np.arange(len(part)), batch)
    if isinstance(part, data.Arrays):
        return part.take(rows)
    return data.Images(part.image[rows])
