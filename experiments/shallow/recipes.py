"""The closed-form methods of the tables: what each is built with.

The first setting of a method is that of its paper, or of the authors' code; the others
are what a validator may choose from (experiments/shallow/cells.py). None was chosen
with target labels.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments import feature_pairs
from transfer_jax import shallow

NEIGHBOUR, SVM, ITSELF = 'nearest_neighbour', 'linear_svm', ''
CLASSIFIERS = {
    NEIGHBOUR: lambda classes: shallow.nearest_neighbour(classes),
    SVM: lambda classes: shallow.linear_svm(classes),
}


class Recipe(NamedTuple):
    """How a table runs a method."""

    build: Callable[..., shallow.Shallow]  # (classes, **setting) -> the method
    settings: tuple[Mapping[str, Any], ...]  # the paper's first
    classify: str = NEIGHBOUR  # what is trained on adapted examples; '' the method
    semi_supervised: bool = False  # cannot do without labelled target examples
    sees: Callable[[feature_pairs.Pair], feature_pairs.Pair] = lambda pair: pair


def pipeline(name: str, classes: int, choice: int = 0) -> shallow.Pipeline:
    """The pipeline of a method with one of its settings."""
    recipe = RECIPES[name]
    method = recipe.build(classes, **recipe.settings[choice])
    if recipe.classify == ITSELF:
        return shallow.pipeline(method)
    return shallow.pipeline(method, CLASSIFIERS[recipe.classify](classes))


def grid(**values: tuple) -> tuple[dict, ...]:
    """All combinations, the first values first; () is left to the method's default."""
    return tuple(
        dict(zip(values, one, strict=True))
        for one in itertools.product(*values.values())
    )


def source_alone(pair: feature_pairs.Pair) -> feature_pairs.Pair:
    """Without the labelled target examples."""
    return pair._replace(target_labelled=None)


def target_alone(pair: feature_pairs.Pair) -> feature_pairs.Pair:
    """The labelled target examples in place of the source."""
    labelled = pair.target_labelled
    kept = np.ones(len(labelled), np.float32)
    return pair._replace(source=labelled, kept=kept, target_labelled=None)


def _plain(build):
    """A builder that has no use for the number of classes."""
    return lambda classes, **setting: build(**setting)


RECIPES: dict[str, Recipe] = {
    'none': Recipe(_plain(shallow.none), ({},)),
    'none_svm': Recipe(_plain(shallow.none), ({},), SVM),
    'subspace_alignment': Recipe(
        _plain(shallow.subspace_alignment), grid(dimension=(80, 20, 40, 60))
    ),
}
# The methods of the tables, by protocol.
OFFICE = {
    'full': ('none', 'none_svm', 'subspace_alignment'),
    'oc20': ('none', 'none_svm', 'subspace_alignment'),
    'semi': ('none', 'none_svm', 'subspace_alignment'),
}
DIGITS = ('none', 'subspace_alignment')
