"""What the zero-shot experiment reads: published sets, generated ones, a user's own."""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from experiments.tasks import choices, photo_features
from transfer_jax.data import (
    class_vectors,
    folders,
    image_files,
    word_vectors,
    zero_shot,
    zero_shot_files,
)
from transfer_jax.data.class_vectors import ClassVectors
from transfer_jax.data.zero_shot import ZeroShotData
from transfer_jax.recipes import backbones

PUBLISHED = ('awa1', 'awa2', 'sun', 'apy', 'cub_published')
KINDS = ('attributes', 'sentences')
OWN = 'own'
NAMES = 'names'  # word vectors of the names of the classes
FOLDER = 'folder:'


class Read(NamedTuple):
    """Features, the kinds of class vectors, and the names of their numbers."""

    data: ZeroShotData
    vectors: Mapping[str, ClassVectors]
    columns: Mapping[str, tuple[str, ...]]


def check(config) -> None:
    """Raises ValueError for a config that cannot be run."""
    if config.features:
        if not (config.vectors and config.unseen):
            raise ValueError(
                '--config.features needs --config.vectors (a CSV, or names) and '
                '--config.unseen (a file, or names separated by commas)'
            )
        if config.features.startswith(FOLDER):
            backbones.get(config.network)  # raises for an unknown name
        return
    if config.unseen:
        raise ValueError('--config.unseen is for own data: give --config.features too')
    choices.check('data', config.data, ('cub', *PUBLISHED, 'fake'))
    for kind in filter(None, config.vectors.split(',')):
        choices.check('vectors', kind, KINDS if config.data == 'cub' else KINDS[:1])


def kinds(config) -> tuple[str, ...]:
    """The kinds of class vectors that are compared."""
    if config.features:
        return (OWN,)
    if config.vectors:
        return tuple(config.vectors.split(','))
    return KINDS if config.data == 'cub' else KINDS[:1]


def title(config) -> str:
    """What a table is about."""
    if config.features:
        name = pathlib.Path(config.features.removeprefix(FOLDER)).stem
        return f'Zero-shot, {name}'
    return {
        'cub': 'Zero-shot, CUB subset, other features than published',
        'fake': 'Zero-shot, generated features',
    }.get(config.data, f'Zero-shot, {config.data}, ResNet-101 features')


def load(config, data_dir: str | None) -> Read:
    """Reads what the config names.

    Raises:
      MissingData, ValueError: as transfer_jax.data.zero_shot_files.
    """
    if config.features:
        return _own(config, data_dir)
    if config.data == 'fake':
        data, vectors = zero_shot.fake()
        read = Read(data, {'attributes': vectors}, {})
    elif config.data == 'cub':
        names = zero_shot_files.attribute_names(data_dir)
        data, vectors = zero_shot_files.cub(data_dir)
        read = Read(data, vectors, {'attributes': names})
    else:
        name = config.data.removesuffix('_published')
        read = Read(*zero_shot_files.with_features(name, data_dir), {})
    return read._replace(vectors={k: read.vectors[k] for k in kinds(config)})


def _own(config, data_dir) -> Read:
    path = config.features
    if path.startswith(FOLDER):
        found = folders.files_by_class(path.removeprefix(FOLDER))
        classes = found.classes
        vectors = _vectors(config.vectors, classes, data_dir)
        vectors.of(classes)  # before minutes of features
        unseen = zero_shot.class_list(config.unseen)
        x, label = _features(found, config.network, data_dir)
        data = zero_shot.split_by_class(x, label, classes, unseen)
        return Read(data, {OWN: vectors}, {})
    if config.vectors == NAMES:
        classes = zero_shot_files.own_classes(path)
        vectors = _vectors(NAMES, classes, data_dir)
    else:
        vectors = class_vectors.from_csv(config.vectors)
    return Read(*zero_shot_files.own(path, vectors, config.unseen), {})


def _vectors(text, classes, data_dir) -> ClassVectors:
    if text != NAMES:
        return class_vectors.from_csv(text)
    return word_vectors.of_names(word_vectors.load(data_dir), classes, centre=True)


def _features(found, network, data_dir) -> tuple[np.ndarray, np.ndarray]:
    """(x (n, d), label (n,)): means over the last map of a pretrained network."""
    backbone = backbones.get(network)
    root = found.items[0][0].parents[1]
    images = image_files.from_files(
        list(found.items), found.classes, root, size=backbone.size
    )
    wanted = {'x': (backbone.last_map, photo_features.average)}
    x = photo_features.features(network, images.image, wanted, data_dir=data_dir)['x']
    return x, images.label
