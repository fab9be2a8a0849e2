"""Retrieval with pooled features: distances, GeM, PCA-whitening, query expansion.

A query ranks a gallery by one descriptor per image, from a network trained only on
ImageNet:

  l2                distance of the pooled features
  cosine            angle between the pooled features
  whitened          cosine after PCA-whitening (Jegou and Chum, ECCV 2012)
  expanded          cosine with average query expansion (Chum et al., ICCV 2007)
  whitened+expanded both

Features are pooled by the average or the generalised mean with p = 3 (GeM, Radenovic et
al., TPAMI 2019). On COIL-100 each view is a query and the other views of its object are
relevant. Between the domains of Office-Caltech10, images of one domain are queries in
another, and the images of the query's class are relevant.

No number is published for these subsets. Another implementation with the same weights
gave, on the same 960 views with cosine and the average, mAP / precision at 1:
SqueezeNet 88.6 / 98.9, MobileNetV1 84.6 / 98.7, MobileNetV2 89.3 / 99.9.

    python -m experiments.transfer.retrieval
    python -m experiments.transfer.retrieval --config.task office --config.size 128

The whitening is fitted on the gallery, without labels. mAP is not interpolated; recall
at k is the share of queries with a relevant image among the first k.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.tasks import choices, photo_features
from experiments.transfer import retrieval_pictures
from transfer_jax import cli, data, metrics, runs
from transfer_jax.evaluation import retrieval
from transfer_jax.recipes import backbones

TASKS = {
    'coil100': ('coil100',),
    'office': ('office_amazon', 'office_caltech10', 'office_dslr', 'office_webcam'),
    'fake': ('fake', 'fake_shifted'),
}
POOLS = {'average': photo_features.average, 'gem': photo_features.gem}
METHODS = ('l2', 'cosine', 'whitened', 'expanded', 'whitened+expanded')
WEIGHTS = ('pretrained', 'random')
ROWS, COLUMNS = 6, 10  # of the picture


@dataclasses.dataclass(frozen=True)
class Config:
    """Retrieval with the features of pretrained networks."""

    task: str = 'coil100'
    """coil100 (views of an object) or office (a class in another domain)."""
    networks: str = 'squeezenet,mobilenet_v1,mobilenet_v2'
    """Names of backbones, separated by commas."""
    size: int = 224
    """Side of the images in pixels."""
    dimension: int = 128
    """Dimension after whitening, at most."""
    expansion: int = 5
    """Retrieved images that expand a query."""
    weights: str = 'pretrained'
    """pretrained, or random as a baseline."""


class Set(NamedTuple):
    """The images of a domain."""

    image: np.ndarray  # (n, h, w, 3)
    label: np.ndarray  # (n,)


class Prepared(NamedTuple):
    """The domains, and a function that computes their descriptors once."""

    sets: Mapping[str, Set]
    descriptors: Any  # (domain, network) -> {pool: (n, d)}


def build(config: Config) -> runs.Study:
    """The study of a config."""
    choices.check('task', config.task, TASKS)
    choices.check('weights', config.weights, WEIGHTS)
    for network in config.networks.split(','):
        backbones.get(network)  # raises for an unknown name
    trials = [
        {'network': network, 'pool': pool, 'method': method, 'pair': pair}
        for network in config.networks.split(',')
        for pool in POOLS
        for method in METHODS
        for pair in pairs(config.task)
    ]
    return runs.Study(
        name='transfer.retrieval',
        config=config,
        task=f'{config.task}, {config.size} px'
        + (', random weights' if config.weights == 'random' else ''),
        trials=tuple(trials),
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        over=('pair',),
        values=('mAP', 'recall_1', 'recall_10'),
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """Both tasks, each at the size of its images."""
    yield Config()
    yield Config('office', size=128)


def fast() -> Config:
    """A run of seconds: generated images, random weights."""
    return Config('fake', 'squeezenet', 33, 4, 2, 'random')


def pairs(task: str) -> list[str]:
    """'QUERIES>GALLERY', or one domain that is queries and gallery."""
    names = TASKS[task]
    if len(names) == 1:
        return [names[0]]
    return [f'{a}>{b}' for a in names for b in names if a != b]


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    sets = {}
    for name in TASKS[config.task]:
        domain = data.load(name, size=config.size, data_dir=data_dir)
        parts = (domain.test,) if config.task == 'fake' else (domain.train, domain.test)
        sets[name] = Set(
            np.concatenate([part.image for part in parts]),
            np.concatenate([part.label for part in parts]),
        )

    @functools.cache
    def descriptors(name: str, network: str):
        last = backbones.get(network).last_map
        return photo_features.features(
            network,
            sets[name].image,
            {pool: (last, function) for pool, function in POOLS.items()},
            data_dir=data_dir,
            random=0 if config.weights == 'random' else None,
        )

    return Prepared(sets, descriptors)


def _ranking(config, prepared, trial, k=None) -> tuple[np.ndarray, np.ndarray]:
    """(ranked rows of the gallery (q, k), whether each is relevant)."""
    query, _, gallery = trial['pair'].partition('>')
    same = not gallery  # an image is no answer to itself
    gallery = gallery or query
    x, y = (
        prepared.descriptors(name, trial['network'])[trial['pool']]
        for name in (query, gallery)
    )
    labels = [prepared.sets[name].label for name in (query, gallery)]
    leave_out = jnp.arange(len(x)) if same else None
    k = k or len(y) - same
    method = trial['method']
    if 'whitened' in method:
        dimension = min(config.dimension, len(y) - 1, y.shape[1])
        fitted = retrieval.fit_whitening(y, dimension)
        x, y = retrieval.whiten(fitted, x), retrieval.whiten(fitted, y)
    measure = 'l2' if method == 'l2' else 'cosine'
    if 'expanded' in method:
        first = retrieval.search(x, y, config.expansion, leave_out=leave_out)
        x = retrieval.expand(x, y, first, config.expansion)
    answers = retrieval.search(x, y, k, measure=measure, leave_out=leave_out)
    index = np.asarray(answers.index)
    return index, labels[1][index] == labels[0][:, None]


def _measure(config, prepared, trial):
    _, relevant = _ranking(config, prepared, trial)
    return {
        'mAP': metrics.mean_average_precision(relevant),
        'recall_1': metrics.recall_at(relevant, 1),
        'recall_10': metrics.recall_at(relevant, 10),
        'queries': len(relevant),
    }


def _pictures(config, prepared):
    """Queries beside the first images that the first network retrieves."""
    drawn = {}
    for method in ('cosine', 'whitened'):
        pair = pairs(config.task)[0]
        trial = {'network': config.networks.split(',')[0], 'pool': 'average'}
        trial |= {'method': method, 'pair': pair}
        index, relevant = _ranking(config, prepared, trial, COLUMNS)
        query, _, gallery = pair.partition('>')
        # The same queries for every method
        rows = np.random.default_rng(0).permutation(len(index))
        drawn[f'First answers, {method}'] = retrieval_pictures.draw(
            prepared.sets[query].image[rows[:ROWS]],
            prepared.sets[gallery or query].image[index[rows[:ROWS]]],
            relevant[rows[:ROWS]],
            f'{trial["network"]}, average pool, {method}: {pair.replace(">", " in ")}',
        )
    return drawn


if __name__ == '__main__':
    cli.main(Config, build)
