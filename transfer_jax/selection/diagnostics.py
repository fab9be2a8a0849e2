"""Domain distances and reverse validation of the final features, once per run.

They use features of held-out source and unlabelled target images, and select nothing
within a run.
"""

import numpy as np

from transfer_jax.selection import projection

DIAGNOSTICS = ('a_distance', 'mmd', 'reverse_validation_linear')


def diagnose(
    source: np.ndarray, label: np.ndarray, target: np.ndarray
) -> dict[str, float]:
    """All of DIAGNOSTICS, from features (n, d) and (m, d) and source labels (n,).

    NaN where features are not finite.
    """
    if not (np.all(np.isfinite(source)) and np.all(np.isfinite(target))):
        return dict.fromkeys(DIAGNOSTICS, float('nan'))
    return {
        'a_distance': a_distance(source, target),
        'mmd': mmd(source, target),
        'reverse_validation_linear': reverse_validation_linear(source, label, target),
    }


def a_distance(source: np.ndarray, target: np.ndarray) -> float:
    """Proxy A-distance 2 (1 - 2 err), from 0 (inseparable) to 2 (separable domains).

    err is the error of a linear SVM that separates the domains, fitted on one half of
    the images and measured on the other (Ben-David et al., NeurIPS 2007). It is the
    mean of the errors on the two domains, so their sizes do not matter, and uses the
    directions of `projection.project`. Worse than chance counts as chance.
    """
    from sklearn import svm  # 1 s: only where it is used

    if min(len(source), len(target)) < 2:
        return 0.0
    parts = projection.project(source, target)
    # Every other image, because neighbours in a data set often share a class.
    fitted, measured = [part[::2] for part in parts], [part[1::2] for part in parts]
    domain = np.repeat([0, 1], [len(part) for part in fitted])
    machine = svm.LinearSVC(class_weight='balanced', dual=False)
    machine.fit(np.concatenate(fitted), domain)
    errors = [np.mean(machine.predict(x) != i) for i, x in enumerate(measured)]
    return float(max(0.0, 2 * (1 - 2 * np.mean(errors))))


def mmd(source: np.ndarray, target: np.ndarray) -> float:
    """Maximum mean discrepancy, biased, with a Gaussian kernel.

    sqrt(mean k(s, s') - 2 mean k(s, t) + mean k(t, t')), all pairs counted,
    k(x, y) = exp(-|x - y|^2 / (2 sigma^2)) with sigma the median distance of two images
    of either domain (Gretton et al., JMLR 2012, eq. 5).
    """
    n = len(source)
    x = np.concatenate([source, target]).astype(np.float32)
    x -= x.mean(0)
    square = np.einsum('ij,ij->i', x, x)
    distance = np.maximum(square[:, None] + square - 2 * (x @ x.T), 0)
    pairs = distance[np.triu_indices(len(x), 1)]
    # The median is 0 if most images coincide, as with dead units.
    width = np.median(pairs) or np.mean(pairs)
    if not width > 0:
        return 0.0
    kernel = np.exp(distance / (-2 * width))
    within = kernel[:n, :n].mean(dtype=float) + kernel[n:, n:].mean(dtype=float)
    return float(np.sqrt(max(within - 2 * kernel[:n, n:].mean(dtype=float), 0)))


def reverse_validation_linear(
    source: np.ndarray, label: np.ndarray, target: np.ndarray
) -> float:
    """Source accuracy of a linear classifier trained on target pseudo-labels.

    One logistic regression is fitted on the source and predicts the target; another is
    fitted on those predictions and scored on the source (Zhong et al., ECML 2010,
    reverse validation). Both use the directions of `projection.project`.

    Deviation: the features are fixed. The paper, and Ganin et al. (JMLR 2016), train
    the whole method again from target to source. This measures only whether the classes
    are arranged alike in the features of the two domains.
    """
    xs, xt = projection.project(source, target)
    pseudo = _classifier(xs, label)(xt)
    return float(np.mean(_classifier(xt, pseudo)(xs) == label))


def _classifier(x, label):
    """f(x) -> labels, by logistic regression, or always the class if there is one."""
    from sklearn import linear_model  # 1 s: only where it is used

    if len(np.unique(label)) == 1:
        return lambda x: np.full(len(x), label[0])
    return linear_model.LogisticRegression(max_iter=1000).fit(x, label).predict
