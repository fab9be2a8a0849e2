"""Importance weights of source images."""

import jax
import numpy as np

from transfer_jax.selection import projection, ratio_on_device

MAX_LOG_ODDS = 50.0  # larger log odds carry no information


def density_ratio(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n,) p_target / p_source at each source image, from features (n, d) and (m, d).

    n / m * P(target | x) / P(source | x), with P from a logistic regression that
    separates the domains (Bickel et al., ICML 2007; You et al., ICML 2019). NaN where
    features are not finite.

    Deviations: You et al. fit on training images and choose the regularisation by
    held-out accuracy. Here the regression is fitted on the very images it weights, on
    at most 64 directions (see projection), with the penalty |w|^2 / 2, because a run
    does this 20 times. An accelerator fits it itself, in float32 (ratio_on_device).
    """
    if not (np.all(np.isfinite(source)) and np.all(np.isfinite(target))):
        return np.full(len(source), np.nan)
    accelerated = jax.default_backend() != 'cpu'
    fitted = ratio_on_device.log_odds if accelerated else _log_odds
    log_odds = np.clip(fitted(source, target), -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return len(source) / len(target) * np.exp(log_odds)


def _log_odds(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n,) log P(target | x) / P(source | x) at each source image."""
    from sklearn import linear_model  # 1 s: only where it is used

    xs, xt = projection.project(source, target)
    domain = np.repeat([0, 1], [len(xs), len(xt)])
    regression = linear_model.LogisticRegression(solver='newton-cholesky')
    return regression.fit(np.concatenate([xs, xt]), domain).decision_function(xs)
