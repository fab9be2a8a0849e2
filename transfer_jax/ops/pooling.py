"""Pooling of class score maps to image scores, (n, h, w, c) -> (n, c).

The pooling determines what a network learns about positions from image labels: the
gradient of the average reaches every position, that of the maximum only one.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transfer_jax.types import Array

POSITIONS = (1, 2)  # the spatial axes of a map
FEW = 5  # up to this k, k successive maxima are faster than bisection


def global_average(maps: Array) -> Array:
    """The mean over positions: class activation mapping (Zhou et al., CVPR 2016)."""
    chex.assert_rank(maps, 4)
    return jnp.mean(maps, POSITIONS)


def global_max(maps: Array) -> Array:
    """The highest score (Oquab et al., CVPR 2015); ties share the gradient.

    Scores count as equal if they differ by a few roundings of the largest magnitude of
    the map, because the backward pass may recompute them with other roundings.
    """
    chex.assert_rank(maps, 4)
    return _highest_score(maps)


@jax.custom_jvp
def _highest_score(maps):
    return jnp.max(maps, POSITIONS)


@_highest_score.defjvp
def _highest_score_jvp(primals, tangents):
    (maps,), (change,) = primals, tangents
    top = jnp.max(maps, POSITIONS, keepdims=True)
    rounding = 4 * jnp.finfo(maps.dtype).eps
    slack = rounding * jnp.max(jnp.abs(maps), POSITIONS, keepdims=True)
    highest = (maps >= top - slack).astype(maps.dtype)
    tangent = jnp.sum(highest * change, POSITIONS) / jnp.sum(highest, POSITIONS)
    return top[:, 0, 0], tangent


def log_sum_exp(maps: Array, temperature: float | Array) -> Array:
    """1/r log(1/(h w) sum exp(r x)): from the mean (r -> 0) to the maximum (r -> inf).

    Pinheiro and Collobert (CVPR 2015, eq. 3), with r = `temperature`, a positive number
    or one per class (c,). The highest score is subtracted first, to prevent overflow.
    The rest uses exp - 1, to keep precision for small r: at r = 1e-6 the exponentials
    themselves differ from 1 by only a few roundings.

    Raises:
      ValueError: the temperature is not positive.
    """
    chex.assert_rank(maps, 4)
    if not isinstance(temperature, jax.core.Tracer) and np.min(temperature) <= 0:
        raise ValueError(f'temperature {temperature}: must be positive')
    r = jnp.asarray(temperature, maps.dtype)
    top = lax.stop_gradient(jnp.max(maps, POSITIONS, keepdims=True))
    exp_minus_1 = jnp.expm1(r * (maps - top))
    mean = jnp.mean(exp_minus_1, POSITIONS)
    small = jnp.log1p(jnp.maximum(mean, -0.5))  # finite where it is not selected
    large = jnp.log(jnp.mean(exp_minus_1 + 1, POSITIONS))
    return top[:, 0, 0] + jnp.where(mean > -0.5, small, large) / r


def soft_pool(maps: Array, sharpness: Array) -> Array:
    """sum_i p_i x_i with p = softmax(b x) over positions, b = `sharpness` (c,) or ().

    Soft pooling of learned parts: with one learned b per class, training chooses a
    pooling between the mean (b = 0) and the maximum (after Kulkarni, Jurie, Zepeda,
    Perez and Chevallier, "SPLeaP: Soft Pooling of Learned Parts for Image
    Classification", ECCV 2016, whose parts are classifiers of regions).
    """
    chex.assert_rank(maps, 4)
    share = jax.nn.softmax(jnp.asarray(sharpness, maps.dtype) * maps, POSITIONS)
    return jnp.sum(share * maps, POSITIONS)


def weldon(maps: Array, *, highest: int | float, lowest: int | float) -> Array:
    """The mean of the k highest scores plus that of the k' lowest.

    WELDON (Durand, Thome and Cord, CVPR 2016, eq. 4 to 6): k-max and k-min instances,
    of equal weight. `wildcat` with alpha 1.
    """
    return wildcat(maps, highest=highest, lowest=lowest)


def wildcat(
    maps: Array,
    *,
    highest: int | float,
    lowest: int | float,
    alpha: float | Array = 1.0,
) -> Array:
    """The mean of the k+ highest scores plus alpha times that of the k- lowest.

    WILDCAT's spatial pooling (Durand, Mordan, Thome and Cord, CVPR 2017, eq. 2). The
    authors' code halves the sum, which scales the scores and nothing else.

    k+ = k- = 1 is maximum plus minimum. If k+ is the number of all positions and k- is
    0, it is the average. Scores that tie for the last of the k highest count in equal
    parts and share the gradient, so exchanging two equal positions changes nothing.

    Args:
      highest, lowest: k+ and k-, as a number of positions or as a share of them between
        0 and 1, which is at least one position. `lowest` may be 0.

    Raises:
      ValueError: more positions than the map has, or `highest` is 0.
    """
    top, bottom = _shares(maps, highest, lowest)
    score = jnp.sum(top * maps, POSITIONS)
    if bottom is None:
        return score
    return score + alpha * jnp.sum(bottom * maps, POSITIONS)


def evidence(
    maps: Array,
    *,
    highest: int | float,
    lowest: int | float,
    alpha: float | Array = 1.0,
) -> Array:
    """The part of each position in `wildcat`'s score, (n, h, w, c); they sum to it.

    Positive where a position raises the score of the class, negative where it lowers
    it, and 0 at positions that are neither among the highest nor among the lowest.
    """
    top, bottom = _shares(maps, highest, lowest)
    return maps * (top if bottom is None else top + alpha * bottom)


def class_wise(maps: Array, per_class: int) -> Array:
    """The mean of the M = `per_class` maps of each class.

    WILDCAT's class-wise pooling (eq. 1), (n, h, w, c M) -> (n, h, w, c). The maps of a
    class are adjacent.

    Raises:
      ValueError: the number of maps is not divisible by M.
    """
    chex.assert_rank(maps, 4)
    *leading, count = maps.shape
    if per_class < 1 or count % per_class:
        raise ValueError(f'{count} maps are not {per_class} of each class')
    if per_class == 1:
        return maps
    return jnp.mean(maps.reshape(*leading, count // per_class, per_class), -1)


def number_of_positions(
    count: int | float, total: int, name: str, least: int = 1
) -> int:
    """A number of positions, from a number or a share.

    A share of `total` is rounded to the nearest whole number, halves up, and is at
    least 1.

    Raises:
      ValueError: fewer than `least`, more than `total`, or a share of 1 or more.
    """
    if isinstance(count, float) and count != int(count):
        if not 0 < count < 1:
            raise ValueError(f'{name} {count}: a share lies between 0 and 1')
        return max(1, int(count * total + 0.5))
    if not least <= count <= total:
        raise ValueError(
            f'{name} {count}: the map has {total} positions; choose {least} to '
            f'{total}, or a share between 0 and 1'
        )
    return int(count)


def _shares(maps, highest, lowest):
    """Weights of positions in the mean of the highest, and of the lowest (or None)."""
    chex.assert_rank(maps, 4)
    total = maps.shape[1] * maps.shape[2]
    k_highest = number_of_positions(highest, total, 'highest')
    k_lowest = number_of_positions(lowest, total, 'lowest', least=0)
    fixed = lax.stop_gradient(maps)
    return _share(fixed, k_highest), _share(-fixed, k_lowest) if k_lowest else None


def _share(maps: Array, k: int) -> Array:
    """1/k at the k highest positions of each map; ties for the last share the rest."""
    total = maps.shape[1] * maps.shape[2]
    if k == total:
        return jnp.full_like(maps, 1 / total)
    if k <= FEW:
        order, last = maps, _highest_of_few(maps, k)
    else:
        order = _ordered(maps)
        last = _highest(order, k)
    above = order > last if k > 1 else jnp.zeros(maps.shape, bool)
    equal = order == last
    remaining = k - jnp.sum(above, POSITIONS, keepdims=True)
    part = remaining / jnp.maximum(jnp.sum(equal, POSITIONS, keepdims=True), 1)
    return jnp.where(above, 1, jnp.where(equal, part, 0)).astype(maps.dtype) / k


def _highest_of_few(maps: Array, k: int) -> Array:
    """The k-th highest score of each map, (n, 1, 1, c), counting ties separately."""
    last = jnp.max(maps, POSITIONS, keepdims=True)
    for _ in range(k - 1):
        enough = jnp.sum(maps >= last, POSITIONS, keepdims=True) >= k
        lower = jnp.where(maps < last, maps, -jnp.inf)
        last = jnp.where(enough, last, jnp.max(lower, POSITIONS, keepdims=True))
    return last


def _ordered(x: Array) -> Array:
    """Integers with the order of the floating-point numbers x."""
    x = jnp.where(x == 0, 0, x)  # -0 must not be below 0
    integer = jnp.int64 if x.dtype == jnp.float64 else jnp.int32
    if x.dtype != jnp.float64:
        x = x.astype(jnp.float32)
    bits = lax.bitcast_convert_type(x, integer)
    return jnp.where(bits < 0, jnp.invert(bits) ^ jnp.iinfo(integer).min, bits)


def _highest(order: Array, k: int) -> Array:
    """The k-th highest integer of each map, (n, 1, 1, c), by bisection.

    Finds, bit by bit, the largest number that at least k positions reach. On CPU this
    is ten times faster than sorting or lax.top_k. Positions are the first axis, because
    sums over it take less than half the time of sums over inner axes.
    """
    n, h, w, c = order.shape
    rows = order.reshape(n, h * w, c).transpose(1, 0, 2).reshape(h * w, n * c)
    bits = jnp.iinfo(order.dtype).bits

    def refine(i, bound):
        higher = bound + jnp.left_shift(jnp.ones((), order.dtype), bits - 1 - i)
        return jnp.where(jnp.sum(rows >= higher, 0) >= k, higher, bound)

    start = jnp.full_like(rows[0], jnp.iinfo(order.dtype).min)
    return lax.fori_loop(0, bits, refine, start).reshape(n, 1, 1, c)
