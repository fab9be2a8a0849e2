"""Trees of parameters by path: masks and labels by regex, merge of pretrained leaves.

A path is 'network/layer/name'. Patterns are regular expressions matched against the
whole path; the first match wins; a pattern that matches nothing raises, because a
typo that freezes nothing is the commonest silent error of transfer learning.
"""

import re
from collections.abc import Mapping, Sequence

import jax

from transfer_jax.types import PyTree


def path(keys: tuple) -> str:
    """Key path of jax.tree_util as 'a/b/c'."""
    return jax.tree_util.keystr(keys, simple=True, separator='/')


def paths(tree: PyTree) -> list[str]:
    """Path of every leaf, in the order of jax.tree.leaves."""
    return [path(keys) for keys, _ in jax.tree_util.tree_leaves_with_path(tree)]


def labels(
    tree: PyTree, patterns: Sequence[tuple[str, str]], default: str | None = None
) -> PyTree:
    """A tree like `tree` whose leaves are labels: the first pattern that matches.

    Args:
      patterns: pairs (regex, label).
      default: label of leaves that no pattern matches.

    Raises:
      ValueError: a pattern matches no leaf, or a leaf has no label.
    """
    names = paths(tree)
    found = [_first(name, patterns, default) for name in names]
    for pattern, _ in patterns:
        if not any(re.fullmatch(pattern, name) for name in names):
            raise ValueError(
                f'pattern {pattern!r} matches no path; there are: {", ".join(names)}'
            )
    missing = [name for name, label in zip(names, found, strict=True) if label is None]
    if missing:
        raise ValueError(f'no pattern matches {", ".join(missing)}')
    return jax.tree.unflatten(jax.tree.structure(tree), found)


def mask(tree: PyTree, patterns: Sequence[str]) -> PyTree:
    """A tree of booleans: True where one of the regexes matches the path."""
    pairs = [(pattern, 'yes') for pattern in patterns]
    return jax.tree.map(lambda label: label == 'yes', labels(tree, pairs, 'no'))


def partition(tree: PyTree, chosen: PyTree) -> tuple[PyTree, PyTree]:
    """(the leaves where `chosen` is True, the others), each with None for the rest.

    None has no leaves, so that jax.grad and jax.tree.map skip what is not chosen.
    """
    return (
        jax.tree.map(lambda leaf, yes: leaf if yes else None, tree, chosen),
        jax.tree.map(lambda leaf, yes: None if yes else leaf, tree, chosen),
    )


def combine(one: PyTree, other: PyTree) -> PyTree:
    """What `partition` took apart."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, one, other, is_leaf=lambda x: x is None
    )


def merge(
    tree: PyTree, loaded: Mapping[str, jax.Array], skip: Sequence[str] = ()
) -> PyTree:
    """`tree` with its leaves replaced by `loaded[path]`.

    Args:
      loaded: {path: array}, such as the weights of a checkpoint.
      skip: regexes of paths that keep their value (a new head).

    Raises:
      ValueError: a leaf is missing, misshapen, or a loaded array has no place.
    """
    names = paths(tree)
    kept = {n for n in names if any(re.fullmatch(pattern, n) for pattern in skip)}
    for pattern in skip:
        if not any(re.fullmatch(pattern, name) for name in names):
            raise ValueError(f'skip pattern {pattern!r} matches no path')
    missing = [n for n in names if n not in loaded and n not in kept]
    extra = [n for n in loaded if n not in names or n in kept]
    if missing or extra:
        raise ValueError(
            f'cannot merge: missing {missing or "nothing"}, no place for '
            f'{extra or "nothing"}'
        )

    def pick(keys, leaf):
        name = path(keys)
        if name in kept:
            return leaf
        if loaded[name].shape != leaf.shape:
            raise ValueError(
                f'{name} has shape {loaded[name].shape}, expected {leaf.shape}'
            )
        return loaded[name].astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(pick, tree)


def _first(
    name: str, patterns: Sequence[tuple[str, str]], default: str | None
) -> str | None:
    for pattern, label in patterns:
        if re.fullmatch(pattern, name):
            return label
    return default
