"""Two-sample measures: the MMD permutation test and the proxy A-distance."""

import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow import linear
from transfer_jax.types import Array, Key, Samples

CHUNK = 256  # permutations in one matrix product


class MmdTest(NamedTuple):
    """A two-sample test by permutations."""

    statistic: Array  # (), squared maximum mean discrepancy
    p_value: Array  # (), of the hypothesis that the distributions are equal
    permuted: Array  # (p,), the statistic of each random relabelling


def mmd_test(
    key: Key,
    source_x: Array,
    target_x: Array,
    *,
    kernel: Kernel | None = None,
    permutations: int = 1000,
    source_mask: Array | None = None,
    target_mask: Array | None = None,
) -> MmdTest:
    """Tests whether two samples have the same distribution: MMD with permutations.

    The statistic is the biased estimate of the squared maximum mean discrepancy,
    mean k(s, s') - 2 mean k(s, t) + mean k(t, t') over all pairs (Gretton, Borgwardt,
    Rasch, Schoelkopf and Smola, JMLR 2012, eq. 5; Borgwardt et al., Bioinformatics
    2006). The domain labels are then permuted `permutations` times. The p-value is
    (1 + #{permuted >= statistic}) / (1 + permutations), so that rejecting below alpha
    errs with probability at most alpha for every sample size. The threshold at level
    alpha is the (1 - alpha) quantile of `permuted`.

    All permutations share one kernel matrix of all examples, which is multiplied by a
    matrix whose columns are the permutations. Padding (mask 0) does not count.
    Arithmetic is in float64. `selection.diagnostics.mmd` is the square root of the same
    statistic in NumPy, without a test, and with another Gaussian.

    Args:
      source_x: (n, d).
      target_x: (m, d).
      kernel: by default a Gaussian whose width is the median distance of the examples,
        exp(-|x - y|^2 / median), as `ops.median_variance`.

    Raises:
      ValueError: fewer than 1 permutation.
    """
    if permutations < 1:
        raise ValueError(f'permutations {permutations}: a test needs at least 1')
    with jax.enable_x64(True):
        x, domain, mask = _pooled(source_x, target_x, source_mask, target_mask)
        return _mmd_test(key, x, domain, mask, kernel, permutations)


def proxy_a_distance(
    key: Key,
    source_x: Array,
    target_x: Array,
    *,
    cost: float | Array = 1.0,
    source_mask: Array | None = None,
    target_mask: Array | None = None,
) -> Array:
    """Proxy A-distance 2 (1 - 2 err), from 0 (inseparable) to 2 (separable domains).

    err is the error of a linear SVM that separates the domains, trained on a random
    half of each domain and measured on the other half (Ben-David, Blitzer, Crammer and
    Pereira, NIPS 2006). Both domains have equal weight in training and in err, whatever
    their sizes. Worse than chance counts as chance. If a domain has a single example,
    the distance is 0. Padding does not count. Arithmetic is in float64.

    `selection.diagnostics.a_distance`, for reports of runs, uses every other image
    instead of random halves, solves with scikit-learn, and first projects onto few
    directions. This function runs under jit and vmap.

    Args:
      source_x: (n, d).
      target_x: (m, d).
      cost: C of `linear_svm`.
    """
    with jax.enable_x64(True):
        x, domain, mask = _pooled(source_x, target_x, source_mask, target_mask)
        return _proxy_a_distance(key, x, domain, mask, jnp.asarray(cost, jnp.float64))


def _pooled(source_x, target_x, source_mask, target_mask):
    """(examples (n + m, d), their domains 0 or 1, and whether they count)."""
    chex.assert_rank([source_x, target_x], 2)
    chex.assert_equal_shape_suffix([source_x, target_x], 1)
    parts = (source_x, source_mask), (target_x, target_mask)
    masks = [jnp.ones(len(x)) if mask is None else mask for x, mask in parts]
    mask = jnp.concatenate(masks).astype(jnp.float64) > 0
    x = jnp.concatenate([source_x, target_x]).astype(jnp.float64)
    domain = (jnp.arange(len(x)) >= len(source_x)).astype(int)
    return jnp.where(mask[:, None], x, 0), domain, mask


@functools.partial(jax.jit, static_argnums=(4, 5))
def _mmd_test(key, x, domain, mask, kernel, permutations):
    matrix = _median_kernel(x, mask) if kernel is None else kernel(x, x)
    matrix = jnp.where(mask[:, None] & mask, matrix, 0)
    n = jnp.sum(mask & (domain == 0))
    m = jnp.sum(mask & (domain == 1))

    def statistic(weight):
        """The statistic of each column (examples, p): 1 / n for source, -1 / m."""
        return jnp.sum(weight * (matrix @ weight), 0)

    def weights(source):
        return jnp.where(mask[:, None], jnp.where(source, 1 / n, -1 / m), 0)

    def permuted_statistics(key):
        order = jnp.where(mask, _order(key, (CHUNK, len(x))), jnp.inf)
        last = jax.vmap(lambda row: ops.order_statistic(row, n - 1))(order)
        return statistic(weights((order <= last[:, None]).T))

    observed = statistic(weights((domain == 0)[:, None]))[0]
    keys = jax.random.split(key, -(-permutations // CHUNK))
    permuted = lax.map(permuted_statistics, keys).ravel()[:permutations]
    # A permutation that does not change the domains may differ by rounding.
    rounding = 1e-12 * jnp.max(jnp.abs(matrix))
    above = jnp.sum(permuted >= observed - rounding)
    return MmdTest(jnp.maximum(observed, 0), (1 + above) / (1 + permutations), permuted)


def _order(key, shape):
    """Distinct random numbers per row; of 32 bits, as in any precision mode of JAX."""
    bits = jax.random.bits(key, shape, jnp.uint32).astype(jnp.float64)
    return bits + jnp.arange(shape[-1]) / shape[-1]


def _median_kernel(x, mask):
    """As ops.gaussian_kernel with ops.median_variance, of the rows that count."""
    squared = ops.squared_distances(x, x)
    pair = mask[:, None] & mask & ~jnp.eye(len(x), dtype=bool)
    count = jnp.sum(pair) // 2
    ordered = jnp.where(pair, squared, jnp.inf).ravel()
    median = ops.order_statistic(ordered, jnp.maximum(count, 1) - 1)
    longest = jnp.max(jnp.sum(x**2, 1))
    usable = jnp.isfinite(median) & (median > 64 * jnp.finfo(x.dtype).eps * longest)
    # For equal rows the width does not matter.
    return jnp.exp(-squared / jnp.where(usable, median, 2.0))


@jax.jit
def _proxy_a_distance(key, x, domain, mask, cost):
    # Random halves of each domain, by the rank of random numbers.
    order = _order(key, (len(x),))
    in_domain = [mask & (domain == d) for d in (0, 1)]
    ranks = [jnp.argsort(jnp.argsort(jnp.where(o, order, jnp.inf))) for o in in_domain]
    rank = jnp.where(in_domain[0], *ranks)
    size = jnp.stack([jnp.sum(o) for o in in_domain])
    trained = mask & (rank < (size // 2)[domain])
    measured = mask & ~trained
    balance = 1 / jnp.maximum(jnp.stack([jnp.sum(trained & o) for o in in_domain]), 1)
    balance = jnp.sum(trained) / 2 * balance[domain]
    machine = linear.linear_svm(2, cost)
    samples = Samples(x, domain, trained.astype(x.dtype))
    fitted = machine.fit(key, samples, jnp.where(trained, balance, 0))
    errors_mask = measured & (ops.argmax_first(machine.logits(fitted, x)) != domain)
    errors = [
        jnp.sum(errors_mask & o) / jnp.maximum(jnp.sum(measured & o), 1)
        for o in in_domain
    ]
    distance = jnp.maximum(0, 2 * (1 - sum(errors)))
    return jnp.where(jnp.min(size) > 1, distance, 0.0)
