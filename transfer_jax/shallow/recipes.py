"""Recipes of pipelines. Unlike a pipeline, a recipe can be pickled."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from transfer_jax.shallow import shallow

REQUIRED = inspect.Parameter.empty  # the default of a hyper-parameter without one


class Recipe(NamedTuple):
    """The functions that build method and classifier, and their arguments."""

    build: Callable[..., shallow.Shallow]
    arguments: tuple[tuple[str, Any], ...]
    classify: Callable[..., shallow.Classifier] | None = None
    classify_arguments: tuple[tuple[str, Any], ...] = ()
    adapts_only: bool = False  # no classifier is trained on the adapted examples


def default_parameters(build: Callable) -> dict[str, Any]:
    """{hyper-parameter: default} of a builder function, without `classes`."""
    if not callable(build):  # an estimator must raise in `fit`, not before
        return {}
    signature = inspect.signature(build).parameters
    return {name: p.default for name, p in signature.items() if name != 'classes'}


class Parameters:
    """Mixin of estimators whose hyper-parameters are those of their builder functions.

    scikit-learn reads hyper-parameters off a constructor, which does not name these. A
    hyper-parameter that has no default and was not given is None until the fit.
    """

    def get_params(self, deep=True):
        """Hyper-parameters of the estimator and of its builder functions."""
        values = {}
        for name, default in self.defaults().items():
            unset = None if default is REQUIRED else default
            values[name] = getattr(self, name, unset)
        return super().get_params(deep) | values

    def set_params(self, **params):
        """Sets hyper-parameters; a new `build` first, because it has different ones."""
        for name in ('build', 'classify'):
            if name in params:
                setattr(self, name, params.pop(name))
        return super().set_params(**params)

    def defaults(self) -> dict[str, Any]:
        """{hyper-parameter: default} of the builder functions."""
        return default_parameters(self.build)

    def set_given(self, given: Mapping[str, Any]) -> None:
        """Sets the hyper-parameters passed to the constructor.

        Raises:
          TypeError: a name that no builder function has.
        """
        known = self.defaults()
        for name, value in given.items():
            if name not in known:
                raise TypeError(
                    f'no parameter {name!r}; choose from {", ".join(known) or "none"}'
                )
            setattr(self, name, value)

    def arguments(
        self, function: Callable, classes: int, prefix: str = ''
    ) -> tuple[tuple[str, Any], ...]:
        """The arguments of `function`.

        Raises:
          ValueError: a hyper-parameter without a default that was not given.
        """
        values = {}
        for name, default in default_parameters(function).items():
            values[name] = self.get_params(deep=False)[prefix + name]
            if values[name] is None and default is REQUIRED:
                raise ValueError(f'{prefix}{name}: the method needs a value')
        if 'classes' in inspect.signature(function).parameters:
            values['classes'] = classes
        return tuple(values.items())


def build_pipeline(recipe: Recipe) -> tuple[shallow.Shallow, shallow.Pipeline]:
    """The method and its pipeline, cached for equal recipes.

    So fits of equal shapes, such as those of a cross-validation, share a compiled
    program.
    """
    try:
        hash(recipe)
    except TypeError:  # an array among the arguments
        return _build(recipe)
    return _build_cached(recipe)


def _build(recipe):
    align = recipe.build(**dict(recipe.arguments))
    classify = None
    if recipe.classify is not None:
        classify = recipe.classify(**dict(recipe.classify_arguments))
    elif recipe.adapts_only and align.predict is None:
        classify = shallow.Classifier(lambda key, source, weights: (), lambda _, x: x)
    return align, shallow.pipeline(align, classify)


_build_cached = functools.lru_cache(maxsize=64)(_build)
