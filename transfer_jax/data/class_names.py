"""Two domains of the same classes: labels are matched by the names."""

import dataclasses
import unicodedata
from typing import TypeVar

import numpy as np

from transfer_jax.data import listings
from transfer_jax.data.lazy import LazyDomain
from transfer_jax.data.sources import Domain

AnyDomain = TypeVar('AnyDomain', Domain, LazyDomain)


def match(source: Domain | LazyDomain, target: AnyDomain) -> AnyDomain:
    """The target, its labels renumbered as the source's classes.

    Raises:
      ValueError: the classes differ; the message has those of one domain alone, and
        says so if they differ only in capitals, spaces or the form of accents.
    """
    if source.classes == target.classes:
        return target
    if set(source.classes) != set(target.classes):
        raise ValueError(f'classes differ: {difference(source, target)}')
    order = np.array([source.classes.index(name) for name in target.classes], np.int32)

    parts = {
        name: dataclasses.replace(part, label=order[part.label], classes=source.classes)
        for name, part in (('train', target.train), ('test', target.test))
    }
    return target._replace(classes=source.classes, **parts)


def difference(source: Domain | LazyDomain, target: Domain | LazyDomain) -> str:
    """'only source a has x; only target b has y', with a hint at equal spellings."""
    texts = []
    for word, one, other in (('source', source, target), ('target', target, source)):
        alone = [name for name in one.classes if name not in other.classes]
        if alone:
            texts.append(f'only {word} {one.name} has {listings.few(alone)}')
    plain = {_plain(name): name for name in source.classes}
    alike = [
        f'{plain[_plain(name)]!r} and {name!r}'
        for name in target.classes
        if name not in source.classes and _plain(name) in plain
    ]
    if alike:
        texts.append(
            'these differ only in capitals, spaces or accents of another form: '
            f'{listings.few(alike)}; rename the folders or labels'
        )
    return '; '.join(texts)


def _plain(name: str) -> str:
    return ' '.join(unicodedata.normalize('NFKC', name).casefold().split())
