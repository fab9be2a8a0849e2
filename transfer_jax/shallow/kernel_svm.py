"""A support vector machine in any kernel."""

import chex
import numpy as np

from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow import checks, kernel_machine
from transfer_jax.shallow.shallow import Classifier


def kernel_svm(
    classes: int, *, kernel: Kernel | None = None, cost: float = 1.0
) -> Classifier:
    """One-vs-rest SVM with hinge loss in the space of a kernel.

    For each class, with y_i = 1 for its examples and -1 for the others, minimises
    1/2 |w|^2 + C sum_i s_i max(0, 1 - y_i f(x_i)) over f(x) = <w, phi(x)> + b with a
    free bias (Cortes and Vapnik 1995). s are the instance weights. The logits are the
    values f of all classes; scikit-learn's SVC trains one machine for each pair of
    classes instead, which gives votes. With two classes both give the same.

    Padding and unlabelled examples do not count; a class without examples is never
    predicted, and one class alone always is. The machines are LIBSVM's, so the fit
    is not jitted; the logits can be.

    Args:
      kernel: (n, d), (m, d) -> (n, m), positive semidefinite, such as
        ops.linear_kernel or ops.gaussian_kernel(variances). Without one, a Gaussian
        whose variance is ops.median_variance of the examples.

    Raises:
      ValueError: a cost that is not positive. `fit` raises it for weights below 0, and
        without any example of positive weight.
    """
    checks.positive('cost', cost)

    def fit(key, source, weights):
        del key
        chex.assert_rank([source.x, source.label, source.mask], [2, 1, 1])
        x, label, mask = (np.asarray(part) for part in source)
        weight = np.where(label >= 0, mask, 0).astype(np.float64)
        if weights is not None:
            weight = weight * np.where(weight > 0, np.asarray(weights), 0)
        if (weight < 0).any():
            raise ValueError(f'weights: {(weight < 0).sum()} are below 0')
        there = weight > 0
        if not there.any():
            raise ValueError('kernel_svm: no labelled examples of positive weight')
        x, label, bound = x[there], label[there], cost * weight[there]
        values, variance = kernel_machine.gram(kernel, x)
        parts = [
            kernel_machine.solve(values, np.where(label == c, 1, -1), bound)
            if (label == c).any()
            else None
            for c in range(classes)
        ]
        return kernel_machine.assemble(x, parts, variance)

    def logits(fitted, x):
        chex.assert_rank(x, 2)
        return kernel_machine.scores(kernel, fitted, x)

    return Classifier(fit, logits, host=True)
