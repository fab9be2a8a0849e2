"""Parameter trees addressed by path: labels and masks by regex, merging of leaves.

A path is 'network/layer/name'. Patterns are regular expressions that must match the
whole path. The first match wins. A pattern without a match raises: a typo that freezes
nothing is the commonest silent error of transfer learning.
"""

import re
from collections.abc import Mapping, Sequence

import jax

from transfer_jax.types import PyTree


def path(keys: tuple) -> str:
    """A key path of jax.tree_util as 'a/b/c'."""
    return jax.tree_util.keystr(keys, simple=True, separator='/')


def paths(tree: PyTree) -> list[str]:
    """The path of every leaf, in the order of jax.tree.leaves."""
    return [path(keys) for keys, _ in jax.tree_util.tree_leaves_with_path(tree)]


def labels(
    tree: PyTree, patterns: Sequence[tuple[str, str]], default: str | None = None
) -> PyTree:
    """A tree like `tree` of labels: that of the first pattern that matches a leaf.

    Args:
      patterns: pairs (regex, label).
      default: the label of leaves without a matching pattern.

    Raises:
      ValueError: a pattern matches no leaf, or a leaf has no label.
    """
    names = paths(tree)
    leaf_labels = [_first_label(name, patterns, default) for name in names]
    for pattern, _ in patterns:
        if not any(re.fullmatch(pattern, name) for name in names):
            raise ValueError(
                f'pattern {pattern!r} matches no path; the paths are: '
                f'{", ".join(names)}'
            )
    unlabelled = [
        name for name, label in zip(names, leaf_labels, strict=True) if label is None
    ]
    if unlabelled:
        raise ValueError(f'no pattern matches {", ".join(unlabelled)}')
    return jax.tree.unflatten(jax.tree.structure(tree), leaf_labels)


def mask(tree: PyTree, patterns: Sequence[str]) -> PyTree:
    """A tree of booleans: True where any of the regexes matches the path."""
    pairs = [(pattern, 'yes') for pattern in patterns]
    return jax.tree.map(lambda label: label == 'yes', labels(tree, pairs, 'no'))


def merge(
    tree: PyTree, loaded: Mapping[str, jax.Array], skip: Sequence[str] = ()
) -> PyTree:
    """`tree` with each leaf replaced by `loaded[path]`.

    Args:
      loaded: {path: array}, such as the weights of a checkpoint.
      skip: regexes of paths that keep their value (a new head).

    Raises:
      ValueError: a leaf is missing or has another shape, or a loaded array belongs to
        no leaf.
    """
    names = paths(tree)
    skipped = {n for n in names if any(re.fullmatch(pattern, n) for pattern in skip)}
    for pattern in skip:
        if not any(re.fullmatch(pattern, name) for name in names):
            raise ValueError(f'skip pattern {pattern!r} matches no path')
    missing = [n for n in names if n not in loaded and n not in skipped]
    unexpected = [n for n in loaded if n not in names or n in skipped]
    if missing or unexpected:
        raise ValueError(
            f'cannot merge: missing {missing or "nothing"}, unexpected '
            f'{unexpected or "nothing"}'
        )

    def pick(keys, leaf):
        name = path(keys)
        if name in skipped:
            return leaf
        if loaded[name].shape != leaf.shape:
            raise ValueError(
                f'{name} has shape {loaded[name].shape}, expected {leaf.shape}'
            )
        return loaded[name].astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(pick, tree)


def _first_label(
    name: str, patterns: Sequence[tuple[str, str]], default: str | None
) -> str | None:
    for pattern, label in patterns:
        if re.fullmatch(pattern, name):
            return label
    return default
