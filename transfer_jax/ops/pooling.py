"""Pooling of class score maps to image scores, (n, h, w, c) -> (n, c).

What the network learns about places from labels of images depends on it: each place has
a share in the gradient of the average, one place in that of the maximum.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transfer_jax.types import Array

PLACES = (1, 2)  # the axes of a map
FEW = 5  # places up to which one maximum after another is faster than bisection


def global_average(maps: Array) -> Array:
    """The mean over all places: class activation mapping (Zhou et al., CVPR 2016)."""
    chex.assert_rank(maps, 4)
    return jnp.mean(maps, PLACES)


def global_max(maps: Array) -> Array:
    """The highest score (Oquab et al., CVPR 2015); equal ones share the gradient.

    Equal is what differs by a few roundings of the largest magnitude of the map: the
    backward pass may compute the scores again, with other roundings.
    """
    chex.assert_rank(maps, 4)
    return _highest_score(maps)


@jax.custom_jvp
def _highest_score(maps):
    return jnp.max(maps, PLACES)


@_highest_score.defjvp
def _share_of_the_highest(primals, tangents):
    (maps,), (change,) = primals, tangents
    top = jnp.max(maps, PLACES, keepdims=True)
    rounding = 4 * jnp.finfo(maps.dtype).eps
    slack = rounding * jnp.max(jnp.abs(maps), PLACES, keepdims=True)
    highest = (maps >= top - slack).astype(maps.dtype)
    moved = jnp.sum(highest * change, PLACES) / jnp.sum(highest, PLACES)
    return top[:, 0, 0], moved


def log_sum_exp(maps: Array, temperature: float | Array) -> Array:
    """1/r log(1/(h w) sum exp(r x)): from the mean (r -> 0) to the maximum (r -> inf).

    Pinheiro and Collobert (CVPR 2015, eq. 3), r = `temperature`, a positive number or
    one for each class (c,). The highest score is taken out first, so that it does not
    overflow, and what is left is exp - 1, so that small r lose no digits: at r = 1e-6
    the exponentials themselves differ from 1 by a few roundings.

    Raises:
      ValueError: a temperature that is not positive.
    """
    chex.assert_rank(maps, 4)
    if not isinstance(temperature, jax.core.Tracer) and np.min(temperature) <= 0:
        raise ValueError(f'temperature {temperature}: must be positive')
    r = jnp.asarray(temperature, maps.dtype)
    top = lax.stop_gradient(jnp.max(maps, PLACES, keepdims=True))
    less = jnp.expm1(r * (maps - top))
    mean = jnp.mean(less, PLACES)
    small = jnp.log1p(jnp.maximum(mean, -0.5))  # finite where it is not taken
    large = jnp.log(jnp.mean(less + 1, PLACES))
    return top[:, 0, 0] + jnp.where(mean > -0.5, small, large) / r


def soft_pool(maps: Array, sharpness: Array) -> Array:
    """sum_i p_i x_i with p = softmax(b x) over places, b = `sharpness` (c,) or ().

    Soft pooling of learned parts: with one learned b for each class it goes from the
    mean (b = 0) to the maximum as training wants it (after Kulkarni, Jurie, Zepeda,
    Perez and Chevallier, "SPLeaP: Soft Pooling of Learned Parts for Image
    Classification", ECCV 2016, whose parts are classifiers of regions).
    """
    chex.assert_rank(maps, 4)
    share = jax.nn.softmax(jnp.asarray(sharpness, maps.dtype) * maps, PLACES)
    return jnp.sum(share * maps, PLACES)


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

    k+ = k- = 1 is maximum plus minimum; k+ all places and k- 0 the average. Of equal
    scores at the border of the k highest each counts in part, and has its part of the
    gradient, so that exchanging two equal places changes nothing.

    Args:
      highest, lowest: k+ and k-: a number of places, or a share of them between 0 and
        1, of which there is at least one place. `lowest` may be 0: none.

    Raises:
      ValueError: more places than the map has, or none of the highest.
    """
    top, bottom = _shares(maps, highest, lowest)
    score = jnp.sum(top * maps, PLACES)
    if bottom is None:
        return score
    return score + alpha * jnp.sum(bottom * maps, PLACES)


def evidence(
    maps: Array,
    *,
    highest: int | float,
    lowest: int | float,
    alpha: float | Array = 1.0,
) -> Array:
    """What each place adds to `wildcat`'s score, (n, h, w, c); they add up to it.

    Positive where a place raises the score of the class, negative where it lowers it,
    and 0 at the places that are neither of the highest nor of the lowest.
    """
    top, bottom = _shares(maps, highest, lowest)
    return maps * (top if bottom is None else top + alpha * bottom)


def class_wise(maps: Array, per_class: int) -> Array:
    """The mean of the M = `per_class` maps of each class.

    WILDCAT's class-wise pooling (eq. 1), (n, h, w, c M) -> (n, h, w, c); maps of one
    class lie side by side.

    Raises:
      ValueError: a number of maps that M does not divide.
    """
    chex.assert_rank(maps, 4)
    *places, count = maps.shape
    if per_class < 1 or count % per_class:
        raise ValueError(f'{count} maps are not {per_class} of each class')
    if per_class == 1:
        return maps
    return jnp.mean(maps.reshape(*places, count // per_class, per_class), -1)


def places(count: int | float, total: int, name: str, least: int = 1) -> int:
    """A number of places, from a number or a share.

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
            f'{name} {count}: the map has {total} places; choose {least} to {total}, '
            'or a share between 0 and 1'
        )
    return int(count)


def _shares(maps, highest, lowest):
    """Weights of the places in the mean of the highest, and of the lowest or None."""
    chex.assert_rank(maps, 4)
    total = maps.shape[1] * maps.shape[2]
    some = places(highest, total, 'highest')
    others = places(lowest, total, 'lowest', least=0)
    fixed = lax.stop_gradient(maps)
    return _share(fixed, some), _share(-fixed, others) if others else None


def _share(maps: Array, k: int) -> Array:
    """1/k at the k highest places of each map, less at those that tie for the last."""
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
    left = k - jnp.sum(above, PLACES, keepdims=True)
    part = left / jnp.maximum(jnp.sum(equal, PLACES, keepdims=True), 1)
    return jnp.where(above, 1, jnp.where(equal, part, 0)).astype(maps.dtype) / k


def _highest_of_few(maps: Array, k: int) -> Array:
    """The k-th highest score of each map, (n, 1, 1, c): equal ones count one by one."""
    last = jnp.max(maps, PLACES, keepdims=True)
    for _ in range(k - 1):
        enough = jnp.sum(maps >= last, PLACES, keepdims=True) >= k
        lower = jnp.where(maps < last, maps, -jnp.inf)
        last = jnp.where(enough, last, jnp.max(lower, PLACES, keepdims=True))
    return last


def _ordered(x: Array) -> Array:
    """Integers in the order of floating-point numbers."""
    x = jnp.where(x == 0, 0, x)  # -0 is not below 0
    whole = jnp.int64 if x.dtype == jnp.float64 else jnp.int32
    if x.dtype != jnp.float64:
        x = x.astype(jnp.float32)
    bits = lax.bitcast_convert_type(x, whole)
    return jnp.where(bits < 0, jnp.invert(bits) ^ jnp.iinfo(whole).min, bits)


def _highest(order: Array, k: int) -> Array:
    """The k-th highest integer of each map, (n, 1, 1, c), by bisection.

    Bit by bit the largest number that at least k places reach. On CPU ten times faster
    than sorting or lax.top_k; places come first, because sums over a first axis take
    less than half the time of those over axes between two others.
    """
    n, h, w, c = order.shape
    rows = order.reshape(n, h * w, c).transpose(1, 0, 2).reshape(h * w, n * c)
    bits = jnp.iinfo(order.dtype).bits

    def refine(i, found):
        higher = found + jnp.left_shift(jnp.ones((), order.dtype), bits - 1 - i)
        return jnp.where(jnp.sum(rows >= higher, 0) >= k, higher, found)

    start = jnp.full_like(rows[0], jnp.iinfo(order.dtype).min)
    return lax.fori_loop(0, bits, refine, start).reshape(n, 1, 1, c)
