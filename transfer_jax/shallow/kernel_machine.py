"""Kernel support vector machines, solved by LIBSVM on the host."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.types import Array

# Violation of the optimality conditions, in units of the margin. LIBSVM stores the
# kernel in float32 and does not converge at much smaller tolerances.
TOLERANCE = 1e-5
STEPS = 1_000_000  # working-set steps, at most; scikit-learn then warns


class KernelMachine(NamedTuple):
    """Scores sum_i coefficient_i k(x_i, x) + bias, one per class."""

    x: Array  # (n, d), the support vectors of any class
    coefficient: Array  # (n, c), multipliers times signs
    bias: Array  # (c,), for a class without examples so low that it never wins
    variance: Array  # (), of the Gaussian if no kernel was given


def scores(kernel: Kernel | None, machine: KernelMachine, x: Array) -> Array:
    """(n, d) -> (n, c), float64."""
    with jax.enable_x64(True):
        kernel = kernel_or_gaussian(kernel, machine.variance)
        values = kernel(jnp.asarray(x, float), machine.x)
        return values @ machine.coefficient + machine.bias


def kernel_or_gaussian(kernel: Kernel | None, variance: Array) -> Kernel:
    """The kernel, or a Gaussian of this variance if it is None."""
    if kernel is not None:
        return kernel
    return ops.gaussian_kernel(jnp.reshape(variance, 1))


def gram(kernel: Kernel | None, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Kernel values (n, n) of the rows of x, and the variance of the Gaussian.

    The variance is ops.median_variance of the rows, or 1 if a kernel is given.
    """
    with jax.enable_x64(True):
        x = jnp.asarray(x, jnp.float64)
        variance = ops.median_variance(x) if kernel is None else jnp.ones(())
        values = np.asarray(kernel_or_gaussian(kernel, variance)(x, x), np.float64)
    return np.ascontiguousarray(values), float(variance)


def solve(
    values: np.ndarray, sign: np.ndarray, bound: np.ndarray
) -> tuple[np.ndarray, float]:
    """Coefficients (n,) and bias of one machine for two sides.

    Minimises 1/2 |w|^2 + sum_i bound_i max(0, 1 - sign_i f(x_i)) with a free bias
    (Cortes and Vapnik 1995). If all signs are equal, w = 0 and the bias is that sign,
    which is a minimum.

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
    """One machine from (coefficients, bias) of each class; None for no examples."""
    coefficient = np.zeros((len(x), len(parts)))
    bias = np.full(len(parts), ABSENT_LOGIT)
    for column, part in enumerate(parts):
        if part is not None:
            coefficient[:, column], bias[column] = part
    supports = (coefficient != 0).any(1)
    supports[0] = True  # a kernel may not accept zero rows
    with jax.enable_x64(True):
        return KernelMachine(
            jnp.asarray(x[supports], jnp.float64),
            jnp.asarray(coefficient[supports]),
            jnp.asarray(bias),
            jnp.asarray(variance, jnp.float64),
        )
