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
    """Components of large variance under which the means of the domains meet.

    Minimises tr(A^T K M K A) + mu tr(A^T A) where A^T K H K A = I: A holds the leading
    eigenvectors of (K M K + mu I)^-1 K H K (section IV). M is the MMD matrix, which the
    paper calls L. An example x becomes k(x, X) A. Without a kernel the features X take
    the place of K, which weighs |X^T A|^2 in place of |A|^2: another method, not
    another way to compute this one.

    The defaults are what later papers compare with: M divided by its Frobenius norm,
    examples of length 1 going in and out, and columns of A of length 1 where the
    paper's constraint gives each component scatter 1 (`whiten`). The paper itself is
    normalise=False, unit_rows=False, unit_output=False, whiten=True.

    On Office-Caltech10 (SURF, 1-NN) the published baselines come out to the digit, with
    a linear kernel and mu = 1: 100 components without either length (beside JDA, ICCV
    2013); 30, or 20, with unit rows alone (tables beside JGSA, CVPR 2017, and VDA); 30
    with both (another beside JGSA).

    Args:
      dimension: k.
      kernel: of two samples, or None. A linear one is solved without its matrix.
      regularisation: mu.
      normalise: divides M by its Frobenius norm.
      unit_rows: divides the examples by their length first.
      unit_output: divides the projected examples by their length.
      whiten: A^T K H K A = I.

    Raises:
      ValueError: a dimension below 1, or above the number of examples (of features,
        without a kernel); a regularisation that is not positive.
    """
    settings = Settings(dimension, kernel, unit_rows, unit_output, whiten)

    def fit(key, source, target):
        del key
        pool = components.pool(settings, source, target)
        means = components.between_means(source, target)
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
    """TCA whose components depend on the labels and keep neighbours together.

    Minimises tr(A^T K L K A) + mu tr(A^T A) + lambda / n^2 tr(A^T K N K A) where
    A^T K H Y H K A = I (section V): the variance to keep is that which goes with
    Y = gamma Y_l + (1 - gamma) I (HSIC), Y_l being 1 between labelled examples of one
    class. N = D - W is the Laplacian of the graph of k nearest neighbours of either
    side, with weights exp(-d^2 / (2 sigma^2)). L is the MMD matrix, as it is.

    Labelled are the source's examples, and the target's that came as `target_labelled`.
    The Laplacian has no low rank, so this one is solved densely: time n^3, and up to
    four matrices n x n at a time, beside those that cross to the host. The length of
    examples and components is treated as in `tca`.

    Args:
      dimension: k.
      classes: how many.
      kernel: of two samples, or None: features in place of K.
      regularisation: mu.
      dependence: gamma, 0 to 1.
      manifold: lambda.
      neighbours: of the graph.
      variance: sigma^2; if None, half the mean squared distance between neighbours, a
        choice of ours.
      unit_rows: divides the examples by their length first.
      unit_output: divides the projected examples by their length.
      whiten: A^T K H Y H K A = I; otherwise columns of A have length 1.

    Raises:
      ValueError: as for `tca`; a dependence outside of 0 to 1, a manifold weight below
        0, a variance that is not positive, no neighbours.
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
        own = jax.nn.one_hot(label, classes, dtype=x.dtype) * mask[:, None]
        centred = (z - mask @ z / jnp.sum(mask)) * mask[:, None]
        with_label = centred.T @ own
        left = dependence * with_label @ with_label.T
        left += (1 - dependence) * centred.T @ centred
        u = z.T @ components.between_means(source, target)
        right = z.T @ (_laplacian(x, mask, neighbours, variance) @ z)
        right = manifold / jnp.sum(mask) ** 2 * right + u @ u.T
        right += regularisation * jnp.eye(len(right))
        value, a = leading.of_pencil(left, right, dimension)
        value = components.beyond_rounding(
            value, len(z), jnp.sum(z**2) / regularisation
        )
        return components.finish(settings, components.Pool(x, mask, z), value, a).fitted

    return components.method(settings, regularisation, fit)


def _laplacian(x: Array, mask: Array, neighbours: int, variance) -> Array:
    """D - W (n, n) of the graph of nearest neighbours, 0 in padding."""
    n = len(x)
    there = (mask[:, None] * mask > 0) & ~jnp.eye(n, dtype=bool)
    distance = jnp.where(there, ops.squared_distances(x, x), jnp.inf)
    farthest = -jax.lax.top_k(-distance, min(neighbours, n))[0][:, -1:]
    near = (distance <= farthest) & there
    near = near | near.T
    if variance is None:
        total = jnp.sum(jnp.where(near, distance, 0))
        variance = total / jnp.maximum(jnp.sum(near), 1) / 2
        variance = jnp.where(variance > 0, variance, 1)
    weight = jnp.where(near, jnp.exp(-distance / (2 * variance)), 0)
    return jnp.diag(jnp.sum(weight, 1)) - weight
