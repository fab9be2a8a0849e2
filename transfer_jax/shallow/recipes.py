"""What a pipeline is built from: unlike the pipeline, it can be pickled and kept."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from transfer_jax.shallow import shallow

REQUIRED = inspect.Parameter.empty  # the default of a hyper-parameter without one


class Recipe(NamedTuple):
    """The functions that build method and classifier, and their arguments."""

    build: Callable[..., shallow.Shallow]
    arguments: tuple[tuple[str, Any], ...]
    classify: Callable[..., shallow.Classifier] | None = None
    classify_arguments: tuple[tuple[str, Any], ...] = ()
    adapts_only: bool = False  # nothing is trained on the adapted examples


def parameters(build: Callable) -> dict[str, Any]:
    """{hyper-parameter: default} of a function that builds; without `classes`."""
    if not callable(build):  # an estimator complains when it is fitted, not before
        return {}
    found = inspect.signature(build).parameters
    return {name: p.default for name, p in found.items() if name != 'classes'}


def made(recipe: Recipe) -> tuple[shallow.Shallow, shallow.Pipeline]:
    """The method and its pipeline, the same for equal recipes.

    So fits of one shape share a compiled program, as do those of a cross-validation.
    """
    try:
        hash(recipe)
    except TypeError:  # an array among the arguments
        return _make(recipe)
    return _kept(recipe)


def _make(recipe):
    align = recipe.build(**dict(recipe.arguments))
    classify = None
    if recipe.classify is not None:
        classify = recipe.classify(**dict(recipe.classify_arguments))
    elif recipe.adapts_only and align.predict is None:
        classify = shallow.Classifier(lambda key, source, weights: (), lambda _, x: x)
    return align, shallow.pipeline(align, classify)


_kept = functools.lru_cache(maxsize=64)(_make)
