"""What a pipeline is built from: unlike the pipeline, it can be pickled and kept."""

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
    adapts_only: bool = False  # nothing is trained on the adapted examples


def parameters(build: Callable) -> dict[str, Any]:
    """{hyper-parameter: default} of a function that builds; without `classes`."""
    if not callable(build):  # an estimator complains when it is fitted, not before
        return {}
    found = inspect.signature(build).parameters
    return {name: p.default for name, p in found.items() if name != 'classes'}


class Parameters:
    """For an estimator whose hyper-parameters are those of the functions it builds by.

    scikit-learn reads hyper-parameters off a constructor, which here cannot know them.
    One that has no default and was not given is None until the fit.
    """

    def get_params(self, deep=True):
        """Hyper-parameters of the estimator and of what it builds."""
        own = {}
        for name, default in self.defaults().items():
            unset = None if default is REQUIRED else default
            own[name] = getattr(self, name, unset)
        return super().get_params(deep) | own

    def set_params(self, **params):
        """Sets hyper-parameters; a new `build` first, for it has others."""
        for name in ('build', 'classify'):
            if name in params:
                setattr(self, name, params.pop(name))
        return super().set_params(**params)

    def defaults(self) -> dict[str, Any]:
        """{hyper-parameter: default} of what is built."""
        return parameters(self.build)

    def take(self, given: Mapping[str, Any]) -> None:
        """What a constructor was given beyond its own.

        Raises:
          TypeError: a name that no function has.
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
        """What `function` is called with.

        Raises:
          ValueError: a hyper-parameter without a default that was not given.
        """
        found = {}
        for name, default in parameters(function).items():
            found[name] = self.get_params(deep=False)[prefix + name]
            if found[name] is None and default is REQUIRED:
                raise ValueError(f'{prefix}{name}: the method needs a value')
        if 'classes' in inspect.signature(function).parameters:
            found['classes'] = classes
        return tuple(found.items())


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
