"""Scores of a model from the allowed evidence; higher is better.

Every validator is a pure function of the evidence of one evaluation. Validators from
papers follow the publication, except for the deviations in their docstrings, so that
they can be compared. FIXED is the validator that was fixed in advance.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from scipy import special

from transfer_jax import ops
from transfer_jax.selection import calibration

MAX_IMAGES = 2000  # of each domain, for the validators
TEMPERATURE = 0.05  # of soft neighbourhoods


class Evidence(NamedTuple):
    """What validators may use: n source images, m target images, k mixed ones."""

    source_logits: np.ndarray  # (n, c) of held-out source images
    source_label: np.ndarray  # (n,)
    source_weight: np.ndarray  # (n,) p_target / p_source, see density_ratio
    target_logits: np.ndarray  # (m, c) of unlabelled target training images
    mixed_logits: np.ndarray  # (k, c) of pairs of those target images, see mixing
    mixed_label: np.ndarray  # (k,) predicted for the dominant image of the pair
    mixed_same: np.ndarray  # (k,) whether both images of the pair have that label


Validator = Callable[[Evidence], float]


def source_validation(evidence: Evidence) -> float:
    """Accuracy on held-out source images."""
    return float(np.mean(_correct(evidence)))


def iwcv(evidence: Evidence) -> float:
    """Importance-weighted validation: sum_i w_i [correct_i] / sum_i w_i.

    w_i is the density ratio p_target / p_source at the features of source image i
    (Sugiyama et al., JMLR 2007, with the 0-1 loss, on one held-out part).

    Deviation: the paper divides by n, which for the true ratio is the same in the
    limit. A fitted ratio does not average to 1, and it approaches 0 where the domains
    are separable. Divided by n, that alone would decide between models. NaN where all
    weights are 0.
    """
    weight = evidence.source_weight
    if not np.any(weight):
        return float('nan')
    return float(np.average(_correct(evidence), weights=weight))


def dev(evidence: Evidence) -> float:
    """Deep embedded validation: minus the weighted risk with a control variate.

    -(mean(w l) + eta mean(w) - eta), eta = -cov(w l, w) / var(w), with the 0-1 loss l
    and the density ratio w, whose mean is 1 (You et al., ICML 2019; sample covariance
    and variance as in their code). With equal weights eta is 0. NaN where all weights
    are 0: there is no evidence, and 0 would be the best score.
    """
    weight = evidence.source_weight
    if not np.any(weight):
        return float('nan')
    weighted = weight * ~_correct(evidence)
    eta = 0.0
    if np.ptp(weight) > 1e-9 * np.max(weight):
        eta = -np.cov(weighted, weight)[0, 1] / np.var(weight, ddof=1)
    return float(eta * (1 - np.mean(weight)) - np.mean(weighted))


def entropy(evidence: Evidence) -> float:
    """Minus the mean entropy of target predictions, in nats; see ops.entropy."""
    return -float(np.mean(_entropy(evidence.target_logits)))


def information_maximization(evidence: Evidence) -> float:
    """H(mean p) - mean H(p) of target predictions, in nats; see ops.entropy."""
    return float(_mutual_information(evidence.target_logits))


def calibrated_information_maximization(evidence: Evidence) -> float:
    """Information maximisation of calibrated predictions, in nats.

    H(mean p) - mean H(p) with p = softmax(target logits / T), T the temperature that
    calibrates the logits on held-out source images (calibration.temperature). A loss
    that scales the logits changes information maximisation, but not this score while
    T is within its limits. NaN where T is not identified, that is, where source
    accuracy is 100 %.
    """
    scale = calibration.temperature(evidence.source_logits, evidence.source_label)
    if np.isnan(scale):
        return scale
    return float(_mutual_information(np.asarray(evidence.target_logits) / scale))


def bnm(evidence: Evidence) -> float:
    """Batch nuclear norm ||P||_* / m of the target's class probabilities P (m, c).

    High where predictions are confident and diverse (Cui et al., CVPR 2020, whose loss
    is minus this norm on a batch; here it is over all images at once).
    """
    p = _probability(evidence.target_logits)
    if not np.all(np.isfinite(p)):
        return float('nan')
    return float(np.linalg.svd(p, compute_uv=False).sum() / len(p))


def snd(evidence: Evidence) -> float:
    """Soft neighbourhood density: mean entropy of similarities among target images.

    With f_i the class probabilities of image i, scaled to length 1, and tau = 0.05,
      P_ij = exp(f_i.f_j / tau) / sum_{k != i} exp(f_i.f_k / tau),  j != i,
    the score is -mean_i sum_{j != i} P_ij log P_ij in nats (Saito et al., ICCV 2021,
    on softmax outputs rather than features, as in their code). It cannot detect a
    collapse onto one class, where it has its maximum.
    """
    f = _probability(evidence.target_logits).astype(np.float32)
    f /= np.linalg.norm(f, axis=1, keepdims=True)
    if len(f) < 2:
        return 0.0
    similarity = (f @ f.T - 1) / np.float32(TEMPERATURE)  # at most 0: no overflow
    density = np.exp(similarity)
    np.fill_diagonal(density, 0)
    total = density.sum(1, dtype=np.float64)
    # -sum P log P = log(sum) - sum(P log(P sum)), row by row
    moment = np.einsum('ij,ij->i', density, similarity)
    return float(np.mean(np.log(total) - moment / total))


def mixval_intra(evidence: Evidence) -> float:
    """MixVal's density probe: agreement on pairs predicted to be of one class."""
    return _agreement(evidence, evidence.mixed_same)


def mixval_inter(evidence: Evidence) -> float:
    """MixVal's boundary probe: agreement on pairs predicted to be of two classes."""
    return _agreement(evidence, ~evidence.mixed_same)


def mixval(evidence: Evidence) -> float:
    """MixVal: how often a mixed image gets the label predicted for its dominant image.

    For x = 0.55 x_a + 0.45 x_b, the share of pairs with y(x) = y(x_a), computed
    separately for the pairs with y(x_a) = y(x_b) and for the others, then averaged (Hu
    et al., NeurIPS 2023). A probe without pairs scores 0, so that a collapse onto one
    class does not win.

    Deviations: half of the images are probes of one kind and half of the other, in one
    pass, where the authors' code makes a pass for each kind. Their code prints the two
    scores without combining them. Both are also columns of the history, so they can be
    combined by their ranks instead.
    """
    return (mixval_intra(evidence) + mixval_inter(evidence)) / 2


VALIDATORS: dict[str, Validator] = {
    'source_validation': source_validation,
    'iwcv': iwcv,
    'dev': dev,
    'entropy': entropy,
    'information_maximization': information_maximization,
    'calibrated_information_maximization': calibrated_information_maximization,
    'bnm': bnm,
    'snd': snd,
    'mixval': mixval,
    'mixval_intra': mixval_intra,
    'mixval_inter': mixval_inter,
}
FIXED = 'calibrated_information_maximization'  # chosen in advance, for every table


def score(evidence: Evidence) -> dict[str, float]:
    """The score of every validator."""
    return {name: validator(evidence) for name, validator in VALIDATORS.items()}


def _correct(evidence: Evidence) -> np.ndarray:
    """(n,) whether the prediction for each source image is correct."""
    return evidence.source_logits.argmax(-1) == evidence.source_label


def _probability(logits: np.ndarray) -> np.ndarray:
    """Softmax in float64."""
    return special.softmax(np.asarray(logits, np.float64), axis=-1)


def _agreement(evidence: Evidence, pairs: np.ndarray) -> float:
    agree = evidence.mixed_logits.argmax(-1) == evidence.mixed_label
    return float(np.mean(agree[pairs])) if np.any(pairs) else 0.0


_entropy = jax.jit(ops.entropy)
_mutual_information = jax.jit(ops.mutual_information)
