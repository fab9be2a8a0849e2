"""Circular validation: whether labels that went to the target find their way back."""

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
    """Accuracy on the source of the method taught by its own target predictions.

    The method adapts from the source to the target and labels it. Then the domains
    change places: the same method with the same hyper-parameters adapts from the target
    with those labels back to the source, whose predictions are compared with the truth
    (Bruzzone and Marconcini, TPAMI 2010, section 5; Zhong et al., ECML 2010).

    Deviation: as Zhong et al., and unlike Bruzzone and Marconcini, only source examples
    that the first fit has not seen are counted.

    Args:
      adapt: (x (n, d), label (n,), target (m, d)) -> predicted labels (m,); labels
        of -1 are unknown.
      source: (n, d) and `label` (n,), what the first fit sees.
      held_out: (k, d) and `held_out_label` (k,), source examples that it does not see.
    """
    there = adapt(source, label, target)
    back = adapt(target, there, np.concatenate([held_out, source]))
    return float(np.mean(back[: len(held_out)] == held_out_label))
