"""Transfer Joint Matching (Long, Wang, Ding, Sun and Yu, CVPR 2014)."""

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow import checks, components
from transfer_jax.shallow.components import Settings
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array

# Keeps the weight of a source example without a part in A finite
TINY = float(jnp.finfo(jnp.float64).eps)


def tjm(
    dimension: int = 20,
    *,
    kernel: Kernel = ops.linear_kernel,
    regularisation: float | Array = 1.0,
    sparsity: float | Array = 1.0,
    iterations: int = 10,
    unit_rows: bool = True,
    unit_output: bool = False,
    whiten: bool = False,
) -> Shallow:
    """Components under which the domains' means meet, from sources that fit the target.

    Minimises tr(A^T K M K A) + lambda (|A_S|_{2,1} + |A_T|_F^2) where A^T K H K A = I,
    A_S and A_T being the rows of A that belong to source and target. By turns, A holds
    the k leading solutions of

        K H K a = mu (K M K + lambda G) a,

    and G is `sparsity` / |a_i| for a source example, 1 for one of the target; it begins
    as 1. M is the MMD matrix of the two means, divided by its Frobenius norm. An
    example x becomes k(x, X) A.

    The defaults are the authors' code: examples of length 1, and columns of A of length
    1, where the paper's constraint gives each component scatter 1 (`whiten`). This sets
    how the weights of the sources compare with 1. So does G: 1 / |a_i| in the
    code, machine precision added under the root; half of it in the paper
    (`sparsity`=0.5).

    On Office-Caltech10 (SURF, 1-NN) the defaults give all twelve published values, to
    the digit. `whiten` loses up to 9 points of them (2.4 on average); `unit_output`
    moves single pairs by up to 3.

    Args:
      dimension: k.
      kernel: of two samples. A linear one is solved without its matrix.
      regularisation: lambda.
      sparsity: what 1 / |a_i| is multiplied by.
      iterations: how many times A is solved for.
      unit_rows: divides the examples by their length first.
      unit_output: divides the projected examples by their length.
      whiten: A^T K H K A = I.

    Raises:
      ValueError: a dimension below 1 or above the number of examples, no iterations, a
        regularisation or sparsity that is not positive.
    """
    settings = Settings(dimension, kernel, unit_rows, unit_output, whiten)
    checks.positive('iterations', iterations)
    checks.positive('sparsity', sparsity)

    def fit(key, source, target):
        del key
        pool = components.pool(settings, source, target)
        means = components.normalised(components.between_means(source, target))
        of_source = jnp.arange(len(pool.x)) < len(source.x)

        def solve(g):
            return components.solve(settings, pool, means, regularisation, g)

        def turn(g, _):
            length = jnp.sqrt(jnp.sum(solve(g).a ** 2, 1) + TINY)
            return jnp.where(of_source, sparsity / length, 1), None

        start = jnp.ones(len(pool.x), pool.x.dtype)
        return solve(jax.lax.scan(turn, start, length=iterations - 1)[0]).fitted

    return components.method(settings, regularisation, fit)
