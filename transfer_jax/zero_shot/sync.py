"""Synthesised classifiers (Changpinyo, Chao, Gong and Sha, CVPR 2016)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array
from transfer_jax.zero_shot import checks, linear
from transfer_jax.zero_shot.method import ZeroShot


class Sync(NamedTuple):
    """The base classifiers of the phantom classes, and where these are."""

    base: Array  # (k, d), V
    vectors: Array  # (k, a), the phantom classes
    unit: Array  # (), the squared median distance between them
    converged: Array  # (), whether the classifiers of the seen classes are


def sync(penalty: float | Array = 2.0**-20, scale: float | Array = 1.0) -> ZeroShot:
    """Linear classifiers of classes, as combinations of those of phantom classes.

    The classifier of class c is w_c = sum_r s_cr v_r with weights
    s_cr = exp(-d(a_c, b_r)) / sum_r' exp(-d(a_c, b_r')), d = scale |a_c - b_r|^2. As in
    the authors' experiments, the phantom classes b_r lie where the seen classes are.
    The base classifiers v_r are those for which the w_c of the seen classes minimise,
    one class against all others,

        1/(n k) sum_n sum_c max(0, 1 - y_nc w_c^T x_n)^2 + lambda/2 sum_c |w_c|^2

    with y 1 or -1. The w_c of the seen classes are free, so they are trained first;
    then V = S^+ W.

    As in the authors' program, distances are in units of the median distance of two
    classes; deviation: of two seen classes, where theirs has all.

    Args:
      penalty: lambda. The authors choose from 2^-30 to 2^-8 on ResNet features.
      scale: 1 / sigma^2. The authors choose from 2^-5 to 2^5.

    Raises:
      ValueError: a constant that is not positive.
    """
    checks.positive('penalty', penalty)
    checks.positive('scale', scale)

    def weights(vectors, phantom, unit):
        return jax.nn.softmax(-scale * ops.squared_distances(vectors, phantom) / unit)

    def fit(key, x, label, vectors):
        del key
        k = len(vectors)
        sign = 2 * jax.nn.one_hot(label, k, dtype=x.dtype) - 1
        seen = linear.squared_hinge(x, sign, 1 / (penalty * len(x) * k))
        pair = jnp.triu_indices(k, 1)
        far = jnp.sqrt(ops.squared_distances(vectors, vectors)[pair])
        unit = jnp.median(far) ** 2
        base = jnp.linalg.pinv(weights(vectors, vectors, unit)) @ seen.weight.T
        return Sync(base, vectors, unit, seen.converged)

    def scores(fitted, x, vectors):
        share = weights(vectors, fitted.vectors, fitted.unit)
        return x @ (share @ fitted.base).T

    return ZeroShot(fit, scores)
