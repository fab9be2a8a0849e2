"""Transfer Component Analysis (Pan, Tsang, Kwok and Yang, TNN 2011)."""

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow import checks, components, leading
from transfer_jax.shallow.components import Settings
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


def tca(
    dimension: int,
    *,
    kernel: Kernel | None = ops.linear_kernel,
    regularisation: float | Array = 1.0,
    normalise: bool = True,
    unit_rows: bool = True,
    unit_output: bool = True,
    whiten: bool = False,
) -> Shallow:
    """Components of large variance that bring the means of the domains together.

    Minimises tr(A^T K M K A) + mu tr(A^T A) subject to A^T K H K A = I: A holds the
    leading eigenvectors of (K M K + mu I)^-1 K H K (section IV). M is the MMD matrix,
    which the paper calls L. An example x becomes k(x, X) A. Without a kernel the
    features X replace K, so that |X^T A|^2 is regularised instead of |A|^2; this is a
    different method, not the same one in primal form.

    The defaults are those of later comparisons: M is divided by its Frobenius norm,
    examples are scaled to length 1 before and after the projection, and columns of A
    have length 1, where the paper's constraint gives each component scatter 1
    (`whiten`). The paper's method is normalise=False, unit_rows=False,
    unit_output=False, whiten=True.

    On Office-Caltech10 (SURF, 1-NN), with a linear kernel and mu = 1, the published
    baselines are reproduced to the digit: 100 components without unit lengths (beside
    JDA, ICCV 2013); 30, or 20, with unit rows only (tables beside JGSA, CVPR 2017, and
    VDA); 30 with both (another table beside JGSA).

    Args:
      dimension: k.
      kernel: of two samples, or None. A linear kernel is solved without its matrix.
      regularisation: mu.
      normalise: divides M by its Frobenius norm.
      unit_rows: scales the examples to length 1 first, which loses the differences of
        examples that are far from the origin.
      unit_output: scales the projected examples to length 1.
      whiten: imposes A^T K H K A = I.

    Raises:
      ValueError: a dimension below 1 or above the number of examples (without a kernel,
        of features), or a regularisation that is not positive.
    """
    settings = Settings(dimension, kernel, unit_rows, unit_output, whiten)

    def fit(key, source, target):
        del key
        pool = components.pool(settings, source, target)
        means = components.mean_difference(source, target)
        if normalise:
            means = components.normalised(means)
        return components.solve(settings, pool, means, regularisation).fitted

    return components.method(settings, regularisation, fit)


def semi_supervised_tca(
    dimension: int,
    *,
    classes: int,
    kernel: Kernel | None = ops.linear_kernel,
    regularisation: float | Array = 1.0,
    dependence: float | Array = 0.5,
    manifold: float | Array = 1.0,
    neighbours: int = 10,
    variance: float | Array | None = None,
    unit_rows: bool = True,
    unit_output: bool = True,
    whiten: bool = False,
) -> Shallow:
    """TCA whose components depend on the labels and preserve neighbourhoods.

    Minimises tr(A^T K L K A) + mu tr(A^T A) + lambda / n^2 tr(A^T K N K A) subject to
    A^T K H Y H K A = I (section V). The constraint maximises the dependence (HSIC) on
    Y = gamma Y_l + (1 - gamma) I, where Y_l is 1 between labelled examples of one
    class. N = D - W is the Laplacian of the graph in which two examples are connected
    if either is among the k nearest neighbours of the other, with weights
    exp(-d^2 / (2 sigma^2)). L is the MMD matrix, without normalisation.

    The labelled examples are those of the source and of `target_labelled`. The
    Laplacian is not of low rank, so the problem is solved densely: time n^3, and up to
    four n x n matrices at a time, besides copies on the way to the host. The length of
    examples and components is handled as in `tca`.

    Args:
      dimension: k.
      classes: the number of classes.
      kernel: of two samples; with None the features replace K.
      regularisation: mu.
      dependence: gamma, 0 to 1.
      manifold: lambda.
      neighbours: of the graph.
      variance: sigma^2; by default half the mean squared distance between neighbours,
        which is not from the paper.
      unit_rows: scales the examples to length 1 first, which loses the differences of
        examples that are far from the origin.
      unit_output: scales the projected examples to length 1.
      whiten: imposes A^T K H Y H K A = I; otherwise columns of A have length 1.

    Raises:
      ValueError: as for `tca`; a dependence outside 0 to 1, a manifold weight below 0,
        a variance that is not positive, or no neighbours.
    """
    settings = Settings(dimension, kernel, unit_rows, unit_output, whiten)
    checks.not_negative('dependence', dependence)
    checks.not_negative('1 - dependence', 1 - dependence)
    checks.not_negative('manifold', manifold)
    checks.positive('neighbours', neighbours)
    if variance is not None:
        checks.positive('variance', variance)

    def fit(key, source, target):
        del key
        x, mask = components.rows(settings, source, target)
        z = x
        if kernel is not None:
            z = components.kernel_matrix(settings, x, mask)
        label = jnp.concatenate([source.label, target.label])
        one_hot = jax.nn.one_hot(label, classes, dtype=x.dtype) * mask[:, None]
        centred = (z - mask @ z / jnp.sum(mask)) * mask[:, None]
        label_scatter = centred.T @ one_hot
        left = dependence * label_scatter @ label_scatter.T
        left += (1 - dependence) * centred.T @ centred
        u = z.T @ components.mean_difference(source, target)
        right = z.T @ (_laplacian(x, mask, neighbours, variance) @ z)
        right = manifold / jnp.sum(mask) ** 2 * right + u @ u.T
        right += regularisation * jnp.eye(len(right))
        value, a = leading.top_pencil_eigenpairs(left, right, dimension)
        value = components.zero_rounding(value, len(z), jnp.sum(z**2) / regularisation)
        return components.finish(settings, components.Pool(x, mask, z), value, a).fitted

    return components.method(settings, regularisation, fit)


def _laplacian(x: Array, mask: Array, neighbours: int, variance) -> Array:
    """D - W (n, n) of the graph of nearest neighbours, 0 in padding."""
    n = len(x)
    pair = (mask[:, None] * mask > 0) & ~jnp.eye(n, dtype=bool)
    distance = jnp.where(pair, ops.squared_distances(x, x), jnp.inf)
    farthest = -jax.lax.top_k(-distance, min(neighbours, n))[0][:, -1:]
    neighbour = (distance <= farthest) & pair
    neighbour = neighbour | neighbour.T
    if variance is None:
        total = jnp.sum(jnp.where(neighbour, distance, 0))
        variance = total / jnp.maximum(jnp.sum(neighbour), 1) / 2
        variance = jnp.where(variance > 0, variance, 1)
    weight = jnp.where(neighbour, jnp.exp(-distance / (2 * variance)), 0)
    return jnp.diag(jnp.sum(weight, 1)) - weight
