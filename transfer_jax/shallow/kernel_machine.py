"""Support vector machines in a kernel, solved by LIBSVM on the host."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow.classifiers import FARTHEST
from transfer_jax.types import Array

# Violation of the optimality conditions, in units of the margin. LIBSVM keeps the
# kernel in float32, so that it goes round in circles at tolerances much below.
TOLERANCE = 1e-5
STEPS = 1_000_000  # of its working set, at most; past them scikit-learn warns


class KernelMachine(NamedTuple):
    """Scores sum_i coefficient_i k(x_i, x) + bias, one a class."""

    x: Array  # (n, d), what supports any class
    coefficient: Array  # (n, c), multipliers times signs
    bias: Array  # (c,), that of a class without examples so low that it never wins
    variance: Array  # (), of the Gaussian where no kernel was given


def scores(kernel: Kernel | None, machine: KernelMachine, x: Array) -> Array:
    """(n, d) -> (n, c), float64."""
    with jax.enable_x64(True):
        values = chosen(kernel, machine.variance)(jnp.asarray(x, float), machine.x)
        return values @ machine.coefficient + machine.bias


def chosen(kernel: Kernel | None, variance: Array) -> Kernel:
    """The kernel, or a Gaussian of that variance where there is none."""
    if kernel is not None:
        return kernel
    return ops.gaussian_kernel(jnp.reshape(variance, 1))


def gram(kernel: Kernel | None, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Kernel values (n, n) of the rows of x and, without a kernel, their width.

    The width is ops.median_variance of the rows, 1 where a kernel is given.
    """
    with jax.enable_x64(True):
        x = jnp.asarray(x, jnp.float64)
        variance = ops.median_variance(x) if kernel is None else jnp.ones(())
        values = np.asarray(chosen(kernel, variance)(x, x), np.float64)
    return np.ascontiguousarray(values), float(variance)


def solve(
    values: np.ndarray, sign: np.ndarray, bound: np.ndarray
) -> tuple[np.ndarray, float]:
    """Coefficients (n,) and bias of one machine of two sides.

    Minimises 1/2 |w|^2 + sum_i bound_i max(0, 1 - sign_i f(x_i)), the bias free (Cortes
    and Vapnik 1995). Of one side alone, w = 0 and the bias is that side's sign, which
    is a minimum.

    Args:
      values: (n, n), the kernel.
      sign: (n,), 1 or -1.
      bound: (n,), positive.
    """
    from sklearn.svm import SVC  # slow to import: only where it is used

    coefficient = np.zeros(len(sign))
    if (sign == sign[0]).all():
        return coefficient, float(sign[0])
    machine = SVC(C=1.0, kernel='precomputed', tol=TOLERANCE, max_iter=STEPS)
    machine.fit(values, sign, sample_weight=bound)
    coefficient[machine.support_] = machine.dual_coef_[0]
    return coefficient, float(machine.intercept_[0])


def assemble(
    x: np.ndarray,
    parts: list[tuple[np.ndarray, float] | None],
    variance: float,
) -> KernelMachine:
    """One machine of the coefficients and biases of each class; None: no examples."""
    coefficient = np.zeros((len(x), len(parts)))
    bias = np.full(len(parts), FARTHEST)
    for column, part in enumerate(parts):
        if part is not None:
            coefficient[:, column], bias[column] = part
    supports = (coefficient != 0).any(1)
    supports[0] = True  # a kernel of no rows may not be defined
    with jax.enable_x64(True):
        return KernelMachine(
            jnp.asarray(x[supports], jnp.float64),
            jnp.asarray(coefficient[supports]),
            jnp.asarray(bias),
            jnp.asarray(variance, jnp.float64),
        )
