"""Temperature scaling: the scale of logits at which probabilities are calibrated."""

import numpy as np
from scipy import optimize, special

LIMITS = (0.05, 20.0)  # of the temperature


def temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """The T > 0 that minimises the mean cross-entropy of softmax(logits / T).

    Guo et al. (ICML 2017), section 4.2, on held-out labelled images. T is clipped to
    LIMITS. Logits times a factor have T times that factor, so that logits / T do not
    depend on the scale that a loss gives to the logits.

    Args:
      logits: (n, c).
      label: (n,).

    Returns:
      NaN where T is not identified: if every prediction is correct, the cross-entropy
      falls as T approaches 0, whatever the logits are.
    """
    logits = np.asarray(logits, np.float64)
    label = np.asarray(label)
    if not np.all(np.isfinite(logits)) or np.all(logits.argmax(-1) == label):
        return float('nan')
    rows = np.arange(len(label))

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(special.logsumexp(scaled, axis=-1) - scaled[rows, label]))

    # Convex in 1 / T, therefore with a single minimum in log T.
    found = optimize.minimize_scalar(
        cross_entropy,
        bounds=tuple(np.log(LIMITS)),
        method='bounded',
        options={'xatol': 1e-7},
    )
    return float(np.exp(found.x))
