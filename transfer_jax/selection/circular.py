"""Circular validation: adapt to the target, then back, and score on the source."""

from collections.abc import Callable

import numpy as np

Adapt = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def circular_validation(
    adapt: Adapt,
    source: np.ndarray,
    label: np.ndarray,
    target: np.ndarray,
    held_out: np.ndarray,
    held_out_label: np.ndarray,
) -> float:
    """Source accuracy of the method trained on its own predictions for the target.

    The method adapts from the source to the target and labels the target. Then the
    domains swap roles: the same method, with the same hyper-parameters, adapts from the
    target with those labels back to the source. Its source predictions are compared
    with the truth (Bruzzone and Marconcini, TPAMI 2010, section 5; Zhong et al., ECML
    2010).

    Deviation: as in Zhong et al., and unlike Bruzzone and Marconcini, only source
    examples that the first fit did not see are scored.

    Args:
      adapt: (x (n, d), label (n,), target (m, d)) -> predicted labels (m,); a label
        of -1 means unknown.
      source: (n, d), with `label` (n,), the source examples of the first fit.
      held_out: (k, d), with `held_out_label` (k,), source examples it does not see.
    """
    target_label = adapt(source, label, target)
    predicted = adapt(target, target_label, np.concatenate([held_out, source]))
    return float(np.mean(predicted[: len(held_out)] == held_out_label))
