"""Precision of softmax, statistics and losses."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from transfer_jax.types import PyTree

Arguments = ParamSpec('Arguments')
Result = TypeVar('Result')


def full_precision(
    function: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """Decorates a function whose matrix products are exact to its type, also on GPU.

    There XLA's default for float32 is TF32, whose 10 bits move a class activation map
    by 4e-3 of its size. A gradient has the precision of the function. Networks are not
    decorated: theirs is a choice.
    """

    @functools.wraps(function)
    def exact(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with jax.default_matmul_precision('highest'):
            return function(*args, **kwargs)

    return exact


def at_least_float32(x: PyTree) -> PyTree:
    """An array, or each array of a tree, in float32, or in its own type if wider.

    Networks may compute in bfloat16 or float16, but they are too coarse for losses:
    every loss widens its inputs first.
    """
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)), x
    )
