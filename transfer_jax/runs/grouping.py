"""Groups runs that differ only in float hyper-parameters, so that they compile once.

Each may run alone (runner.run) or with the others (vectorised.run). Its folder is that
of a run of its config in either case, and may be resumed in either way.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from transfer_jax.runs.experiment import Experiment
from transfer_jax.training import parallel


def share(
    build: Callable[[Any], Experiment],
    configs: Sequence[Any],
    traced: Sequence[str],
) -> list[Experiment]:
    """The experiments of configs that differ in the fields `traced` alone.

    Their methods are built inside the trace, from the config with its traced fields
    as arrays. A field that is no real number, such as None, is left as it is.

    Raises:
      ValueError: they differ in another field, or the experiment cannot be built with a
        traced field, because it branches on its value.
    """
    first = configs[0]
    names = [n for n in traced if isinstance(getattr(first, n), float)]
    for config in configs[1:]:
        as_first = {name: getattr(first, name) for name in names}
        if dataclasses.replace(config, **as_first) != first:
            raise ValueError(f'{config} is not of the group of {first}')
    experiments = [build(config) for config in configs]
    if not names:
        return experiments
    for name in names:
        _check_traces(build, first, name)

    def maker(i):
        def make(**values):
            return build(dataclasses.replace(first, **values)).stages[i].method

        return parallel.with_traced_values(make)

    makers = [maker(i) for i in range(len(experiments[0].stages))]

    def shared(config, experiment):
        values = {name: getattr(config, name) for name in names}
        stages = [
            stage._replace(method=of(values))
            for of, stage in zip(makers, experiment.stages, strict=True)
        ]
        return experiment._replace(stages=tuple(stages))

    return [shared(*both) for both in zip(configs, experiments, strict=True)]


def _check_traces(build, config, name) -> None:
    def built(value):
        build(dataclasses.replace(config, **{name: value}))
        return value

    try:
        jax.eval_shape(built, jnp.float32(getattr(config, name)))
    except jax.errors.ConcretizationTypeError as error:
        raise ValueError(
            f'field {name!r} decides what is built, so it cannot differ within one '
            'program: leave it out of --traced'
        ) from error
