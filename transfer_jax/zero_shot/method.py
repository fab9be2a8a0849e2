"""The interface of a zero-shot method, its compilation, and grids of its constants.

Methods compute in the precision of their inputs. `pipeline` and `path` pass float64.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.types import Array, Key, PyTree
from transfer_jax.zero_shot import checks


class ZeroShot(NamedTuple):
    """A zero-shot method: its fit on seen classes, and the scores of any classes.

    `vectors` of `fit` are those of the seen classes only, in the order of the labels
    0 ... k-1, so a fit cannot see the vector of an unseen class. `scores` takes the
    vectors of any classes. The predicted class is that of the largest score.

    Features and vectors are taken as they are: scale their rows with `unit_rows` first,
    which all constants in our tables assume.
    """

    fit: Callable[[Key, Array, Array, Array], PyTree]  # (key, x (n, d), label (n,),
    # vectors (k, a)) -> fitted parameters
    scores: Callable[[PyTree, Array, Array], Array]  # (fitted, x (m, d),
    # vectors (c, a)) -> (m, c)


def unit_rows(x: Array) -> Array:
    """(n, d), each row divided by its length; a row of zeros stays.

    The preprocessing of features and of class vectors.
    """
    length = jnp.linalg.norm(x, axis=-1, keepdims=True)
    return x / jnp.where(length > 0, length, 1)


def pipeline(method: ZeroShot) -> ZeroShot:
    """The method in float64, compiled, with checks of what it is given.

    Scores are NumPy arrays, float64.

    Raises:
      ValueError: `fit`: features or vectors that are not finite, fewer than 2 classes,
        a label without a vector, a vector without an example (it would be that of an
        unseen class), a vector of zeros, two equal vectors. `scores`: features or
        vectors of another dimension than those of the fit, or not finite.
    """
    return _checked(jax.jit(method.fit), jax.jit(method.scores))


def path(
    make: Callable[..., ZeroShot], constants: Mapping[str, Any], **options: Any
) -> ZeroShot:
    """A grid of constants as one program: fitted arrays and scores have an axis more.

    `path(eszsl, {'gamma': g, 'lam': l})` fits a method for each pair (g[i], l[i]); its
    scores are (grid, m, c). What does not depend on the constants is computed once. A
    second path with other values of the constants is not compiled again.

    Args:
      make: a method as a function of its constants, such as `sae`.
      constants: {argument of `make`: values (grid,)}, all of one length.
      options: further arguments of `make`, the same for all, such as `epochs=20`.

    Raises:
      ValueError: constants of different lengths, or out of range for `make`; then as
        `pipeline`.
    """
    lengths = {name: len(values) for name, values in constants.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f'constants of one length are needed, not {lengths}')
    for row in zip(*constants.values(), strict=True):
        make(**dict(zip(constants, map(float, row), strict=True)), **options)
    fixed = tuple(sorted(options.items()))
    constants = {name: np.asarray(values) for name, values in constants.items()}

    def fit(key, x, label, vectors):
        return _fit_path(make, fixed, _double(constants), key, x, label, vectors)

    def scores(fitted, x, vectors):
        return _scores_path(make, fixed, _double(constants), fitted, x, vectors)

    return _checked(fit, scores)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _fit_path(make, fixed, constants, *data):
    return jax.vmap(lambda chosen: make(**chosen, **dict(fixed)).fit(*data))(constants)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _scores_path(make, fixed, constants, fitted, x, vectors):
    def one(chosen, fitted):
        return make(**chosen, **dict(fixed)).scores(fitted, x, vectors)

    return jax.vmap(one)(constants, fitted)


class Fitted(NamedTuple):
    """What a checked fit returns: the parameters, and the dimensions they are for."""

    parameters: PyTree
    features: Array  # (d,) zeros: a shape
    vectors: Array  # (a,) zeros


def _checked(fit, scores) -> ZeroShot:
    """Both functions in float64, after checks of their arguments."""

    def checked_fit(key, x, label, vectors):
        checks.training(x, label, vectors)
        with jax.enable_x64(True):
            x, vectors = _double((x, vectors))
            parameters = fit(key, x, jnp.asarray(label, jnp.int32), vectors)
            return Fitted(parameters, *(jnp.zeros(v.shape[1]) for v in (x, vectors)))

    def checked_scores(fitted, x, vectors):
        checks.scoring(x, vectors, len(fitted.features), len(fitted.vectors))
        with jax.enable_x64(True):
            value = scores(fitted.parameters, *_double((x, vectors)))
        return value if checks.traced(value) else np.asarray(value)

    return ZeroShot(checked_fit, checked_scores)


def _double(values: PyTree) -> PyTree:
    """The arrays in float64; to be called where float64 is enabled."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), values)
