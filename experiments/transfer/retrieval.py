"""Retrieval with pooled features: distances, GeM, PCA-whitening, query expansion.

A query ranks a gallery by one descriptor per image, from a network trained only on
ImageNet:

  l2                distance of the pooled features
  cosine            angle between the pooled features
  whitened          cosine after PCA-whitening (Jegou and Chum, ECCV 2012)
  expanded          cosine with average query expansion (Chum et al., ICCV 2007)
  whitened+expanded both

Features are pooled by the average or the generalised mean with p = 3 (GeM, Radenovic et
al., TPAMI 2019).

Domains, whose images are squares: on COIL-100 each view is a query and the other views
of its object are relevant. Between the domains of Office-Caltech10, images of one
domain are queries in another, and the images of the query's class are relevant. mAP is
not interpolated.

Retrieval sets (data.landmarks says which files they need):

  oxford5k, paris6k  boxes of landmarks are queries; junk is neither correct nor wrong
  holidays           a query for each scene; it is left out of its ranking
  ukbench            each image is a query and among its four answers; N-S, the mean
                     number of answers among the first four, is in the rows, and its
                     quarter, precision 4, in the table
  folder:PATH        own photographs: the others of a query's class answer it
  csv:FILE           the same from the columns file and label

mAP of the first three is by the trapezoidal rule, as in their publishers' programs;
the rows have the other, mAP_plain, too. Images are decoded batch by batch. Their
longest side gets the size, and a query is cut out of its image at the same scale; other
sides are rounded to multiples of 32. 'square' stretches all instead. Whitening is
fitted on the gallery, without labels, or on --config.whitening-data, such as paris6k
for oxford5k.

Published, mAP of networks that are trained for retrieval (the code of Radenovic et al.:
GeM, learned whitening, three scales): ResNet-101 Oxford5k 88.2, Paris6k 92.5; VGG-16
87.3, 87.8. Here the networks know only ImageNet, and there is one scale. No number is
published for the subsets of COIL-100 and Office-Caltech10. Another implementation with
the same weights gave, on the same 960 views with cosine and the average, mAP and
precision at 1: SqueezeNet 88.6 and 98.9, MobileNetV1 84.6 and 98.7, MobileNetV2 89.3
and 99.9.

    python -m experiments.transfer.retrieval
    python -m experiments.transfer.retrieval --config.task office --config.size 128
    python -m experiments.transfer.retrieval --config.task oxford5k --config.size 1024

Recall at k is the share of queries with a relevant image among the first k.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.tasks import choices, photo_features
from experiments.transfer import retrieval_images, retrieval_lists, retrieval_pictures
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
RESIZE = ('auto', 'square', 'longest')
ROWS, COLUMNS = 6, 10  # of the picture


@dataclasses.dataclass(frozen=True)
class Config:
    """Retrieval with the features of pretrained networks."""

    task: str = 'coil100'
    """coil100 (views of an object), office (a class in another domain), oxford5k,
    paris6k, holidays, ukbench, folder:PATH or csv:FILE."""
    networks: str = 'squeezenet,mobilenet_v1,mobilenet_v2'
    """Names of backbones, separated by commas."""
    size: int = 224
    """Side of the images in pixels, the longest one of images that are no squares."""
    dimension: int = 128
    """Dimension after whitening, at most."""
    expansion: int = 5
    """Retrieved images that expand a query."""
    weights: str = 'pretrained'
    """pretrained, or random as a baseline."""
    resize: str = 'auto'
    """longest (keeps the aspect ratio) or square; auto is square for domains, longest
    for retrieval sets."""
    whitening_data: str = ''
    """Another domain or retrieval set, on which whitening is fitted; '' is the
    gallery."""


class Prepared(NamedTuple):
    """The images by name, and a function that computes their descriptors once."""

    images: Mapping[str, retrieval_images.Square | retrieval_images.Files]
    descriptors: Callable  # (name, network) -> {pool: (n, d)}
    listed: data.landmarks.Gallery | None  # None: labels say what is relevant


def build(config: Config) -> runs.Study:
    """The study of a config."""
    _check(config)
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
        values=retrieval_lists.VALUES_OF.get(config.task, retrieval_lists.VALUES),
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
    """'QUERIES>GALLERY', or one set that is queries and gallery."""
    names = TASKS.get(task, (task,))
    if len(names) == 1:
        return [names[0]]
    return [f'{a}>{b}' for a in names for b in names if a != b]


def _check(config: Config) -> None:
    """Raises ValueError for a name that is not known."""
    if not data.landmarks.is_set(config.task):
        known = (*TASKS, *data.landmarks.SETS, *data.landmarks.USER)
        choices.check('task', config.task, known)
    choices.check('weights', config.weights, WEIGHTS)
    choices.check('resize', config.resize, RESIZE)
    if config.task in TASKS and config.resize == 'longest':
        raise ValueError(
            f"resize 'longest' is for files; the images of {config.task} are squares"
        )
    for network in config.networks.split(','):
        backbones.get(network)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    square, listed = config.resize == 'square', None
    images: dict[str, Any] = {}
    if config.task in TASKS:
        for name in TASKS[config.task]:
            images[name] = retrieval_images.domain(name, config.size, data_dir)
    else:
        listed = data.landmarks.load(config.task, data_dir)
        images['gallery'] = retrieval_images.gallery(listed, config.size, square)
        images['queries'] = retrieval_images.queries(listed, config.size, square)
    other = config.whitening_data
    if other and data.landmarks.is_set(other):
        of_files = data.landmarks.load(other, data_dir)
        images['whitening'] = retrieval_images.gallery(of_files, config.size, square)
    elif other:
        images['whitening'] = retrieval_images.domain(other, config.size, data_dir)

    random = 0 if config.weights == 'random' else None
    describe = retrieval_images.Describer(POOLS, data_dir, random)

    @functools.cache
    def descriptors(name: str, network: str):
        if name == 'queries' and not any(query.box for query in listed.queries):
            own = [query.index for query in listed.queries]  # whole images
            return {k: x[own] for k, x in descriptors('gallery', network).items()}
        return describe(images[name], network, f'{network}, {name}')

    return Prepared(images, descriptors, listed)


def _ends(config, trial) -> tuple[str, str]:
    """The names of queries and gallery."""
    if config.task not in TASKS:
        return 'queries', 'gallery'
    query, _, gallery = trial['pair'].partition('>')
    return query, gallery or query


def _ranker(config, prepared, trial) -> Callable:
    """rank(k, rows=None): the nearest k of the gallery, of all queries or some (q, k).

    Where k is None, all of the gallery. An image is no answer to itself.
    """
    query, gallery = _ends(config, trial)
    network, pool, method = (trial[key] for key in ('network', 'pool', 'method'))
    x, y = (prepared.descriptors(name, network)[pool] for name in (query, gallery))
    leave_out = None
    if prepared.listed is None and query == gallery:
        leave_out = jnp.arange(len(x))
    elif prepared.listed and prepared.listed.leave_out_query:
        leave_out = jnp.array([one.index for one in prepared.listed.queries])
    if 'whitened' in method:
        learned = y
        if config.whitening_data:
            learned = prepared.descriptors('whitening', network)[pool]
        dimension = min(config.dimension, len(learned) - 1, y.shape[1])
        fitted = retrieval.fit_whitening(learned, dimension)
        x, y = retrieval.whiten(fitted, x), retrieval.whiten(fitted, y)
    measure = 'l2' if method == 'l2' else 'cosine'
    if 'expanded' in method:
        first = retrieval.search(x, y, config.expansion, leave_out=leave_out)
        x = retrieval.expand(x, y, first, config.expansion)

    def rank(k=None, rows=slice(None)):
        out = None if leave_out is None else leave_out[rows]
        k = k or len(y) - (leave_out is not None)
        found = retrieval.search(x[rows], y, k, measure=measure, leave_out=out)
        return np.asarray(found.index)

    return rank


def _by_label(config, prepared, trial, index) -> np.ndarray:
    """Whether ranked images (q, k) of a domain are of the classes of the queries."""
    query, gallery = (prepared.images[name].label for name in _ends(config, trial))
    return gallery[index] == query[:, None]


def _measure(config, prepared, trial):
    rank = _ranker(config, prepared, trial)
    if prepared.listed:
        return retrieval_lists.measure(prepared.listed, lambda rows: rank(rows=rows))
    relevant = _by_label(config, prepared, trial, rank())
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
        query, gallery = _ends(config, trial)
        index = _ranker(config, prepared, trial)(COLUMNS)
        # The same queries for every method
        rows = np.random.default_rng(0).permutation(len(index))[:ROWS]
        if prepared.listed:
            relevant = retrieval_lists.marked(prepared.listed, rows, index[rows])
        else:
            relevant = _by_label(config, prepared, trial, index)[rows]
        drawn[f'First answers, {method}'] = retrieval_pictures.draw(
            prepared.images[query].shown(rows),
            prepared.images[gallery].shown(index[rows]),
            relevant,
            f'{trial["network"]}, average pool, {method}: {pair.replace(">", " in ")}',
        )
    return drawn


if __name__ == '__main__':
    cli.main(Config, build)
