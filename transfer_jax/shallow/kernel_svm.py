"""A support vector machine with any kernel."""

import itertools

import chex
import jax.numpy as jnp
import numpy as np

from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow import checks, kernel_machine
from transfer_jax.shallow.shallow import Classifier


def kernel_svm(
    classes: int,
    *,
    kernel: Kernel | None = None,
    cost: float = 1.0,
    one_vs_one: bool = False,
) -> Classifier:
    """Kernel SVM with hinge loss, one-vs-rest by default.

    For each class, with y_i = 1 for its examples and -1 for the others, minimises
    1/2 |w|^2 + C sum_i s_i max(0, 1 - y_i f(x_i)) over f(x) = <w, phi(x)> + b with a
    free bias (Cortes and Vapnik 1995), s being the instance weights. The logits are the
    values f of all classes. With `one_vs_one` there is one machine for each pair of
    classes, as in LIBSVM and scikit-learn's SVC, and the logits are the votes; ties go
    to the lowest class. For two classes both give the same predictions.

    Padding and unlabelled examples do not count. A class without examples is never
    predicted; if only one class has examples, it is always predicted. The machines are
    LIBSVM's, so the fit is not jitted; the logits can be.

    Args:
      kernel: (n, d), (m, d) -> (n, m), positive semidefinite, such as
        ops.linear_kernel or ops.gaussian_kernel(variances). By default a Gaussian with
        variance ops.median_variance of the examples.

    Raises:
      ValueError: a cost that is not positive. `fit` raises it for weights below 0, and
        if no example has a positive weight.
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
        counted = weight > 0
        if not counted.any():
            raise ValueError('kernel_svm: no labelled examples of positive weight')
        x, label, bound = x[counted], label[counted], cost * weight[counted]
        values, variance = kernel_machine.gram(kernel, x)
        solve = _one_vs_one if one_vs_one else _one_vs_rest
        return kernel_machine.assemble(
            x, solve(values, label, bound, classes), variance
        )

    def logits(fitted, x):
        chex.assert_rank(x, 2)
        scores = kernel_machine.scores(kernel, fitted, x)
        return _votes(scores, classes) if one_vs_one else scores

    return Classifier(fit, logits, host=True)


def _one_vs_rest(values, label, bound, classes):
    """A machine for each class with examples."""
    return [
        kernel_machine.solve(values, np.where(label == c, 1, -1), bound)
        if (label == c).any()
        else None
        for c in range(classes)
    ]


def _one_vs_one(values, label, bound, classes):
    """A machine for each pair of classes; if one is absent, the other wins."""
    parts = []
    for first, second in itertools.combinations(range(classes), 2):
        rows = np.flatnonzero((label == first) | (label == second))
        coefficient, bias = np.zeros(len(label)), -1.0
        if len(rows):
            coefficient[rows], bias = kernel_machine.solve(
                values[np.ix_(rows, rows)],
                np.where(label[rows] == first, 1, -1),
                bound[rows],
            )
        parts.append((coefficient, bias))
    return parts


def _votes(scores, classes):
    """(n, pairs) -> (n, classes), the number of machines that vote for each class."""
    pairs = np.array(list(itertools.combinations(range(classes), 2))).reshape(-1, 2)
    first, second = (np.eye(classes, dtype=np.float32)[side] for side in pairs.T)
    won = (scores > 0).astype(jnp.float32)
    return won @ first + (1 - won) @ second
