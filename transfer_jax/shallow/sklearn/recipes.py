"""Recipes of methods, which unlike methods can be pickled, and what they build."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.shallow import shallow


class Recipe(NamedTuple):
    """The function that builds a method, and its arguments."""

    build: Callable[..., shallow.Shallow]
    arguments: tuple[tuple[str, Any], ...]


def recipe(build: Callable[..., shallow.Shallow], classes: int, **arguments) -> Recipe:
    """The recipe; `classes` is passed on if `build` has a parameter of this name.

    Lists become tuples, which have a hash.
    """
    for name, value in arguments.items():
        arguments[name] = tuple(value) if isinstance(value, list) else value
    if 'classes' in inspect.signature(build).parameters:
        arguments['classes'] = classes
    return Recipe(build, tuple(arguments.items()))


class Built(NamedTuple):
    """A method, and its compiled functions: a program is compiled once for each shape.

    They take the fit of the pipeline and rows (n, d), in float64.
    """

    method: shallow.Shallow
    fit: Callable[..., shallow.Fitted]
    maps: tuple[Callable, Callable]  # of source and target rows, (n, k)
    logits: tuple[Callable, Callable]  # of methods that classify, (n, c)


def build(recipe: Recipe) -> Built:
    """The method of a recipe, cached for equal recipes.

    So the fits of a cross-validation and the predictions of equal estimators share
    compiled programs.
    """
    try:
        hash(recipe)
    except TypeError:  # an array among the arguments
        return _build(recipe)
    return _build_cached(recipe)


def _build(recipe):
    method = recipe.build(**dict(recipe.arguments))
    classify = None
    if method.predict is None:  # a pipeline needs a classifier; this one does nothing
        classify = shallow.Classifier(lambda key, source, weights: (), lambda _, x: x)
    pipeline = shallow.pipeline(method, classify)

    def mapped(adapt):
        return jax.jit(lambda fitted, x: adapt(fitted.alignment, x))

    def logits(predict):
        return jax.jit(lambda fitted, x: predict(fitted, {'x': x})['logits'])

    return Built(
        method,
        pipeline.fit,
        (_in_float64(mapped(method.source)), _in_float64(mapped(method.target))),
        (
            _in_float64(logits(pipeline.predict_source)),
            _in_float64(logits(pipeline.predict)),
        ),
    )


def _in_float64(function):
    def call(fitted, x) -> np.ndarray:
        with jax.enable_x64(True):
            return np.asarray(function(fitted, jnp.asarray(x, jnp.float64)), np.float64)

    return call


_build_cached = functools.lru_cache(maxsize=64)(_build)
