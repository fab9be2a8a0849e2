"""The largest dimension with a reliable principal subspace (Fernando et al., 2013)."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.shallow import checks
from transfer_jax.types import Samples


def stable_dimension(
    source: Samples,
    target: Samples,
    *,
    deviation: float,
    risk: float = 0.1,
    bound: float | None = None,
) -> int:
    """The largest dimension at which Subspace Alignment is stable.

    With lambda_d the descending eigenvalues of a domain's covariance, it is the largest
    d with lambda_d - lambda_{d+1} >= (1 + sqrt(ln(2 / delta) / 2)) 16 d^{3/2} B /
    (gamma sqrt(n)) in both domains, where n is the number of examples of the smaller
    one (Fernando et al., ICCV 2013, section 3.4). Then, with probability 1 - delta, the
    aligned similarity matrix X_S M X_T^T differs by at most gamma from its limit for
    infinitely many examples. This follows from the bound of Zwald and Blanchard (NIPS
    2005), where B bounds the squared length of the examples. The factor is loose, so
    gamma must be large. The experiments do not use this function; it is for setting the
    `dimension` of `subspace_alignment`.

    Args:
      deviation: gamma, in the units of the theorem.
      risk: delta, in (0, 1).
      bound: B; by default the largest squared length of an example about its domain's
        mean.

    Raises:
      ValueError: a deviation or bound that is not positive, a risk outside (0, 1), or
        no dimension is stable.
    """
    checks.positive('deviation', deviation)
    if not 0 < risk < 1:
        raise ValueError(f'risk {risk}: must be a probability between 0 and 1')
    domains = [_spectrum(s) for s in (source, target)]
    if bound is None:
        bound = max(longest for _, longest, _ in domains)
    else:
        checks.positive('bound', bound)
    n = min(count for _, _, count in domains)
    gap = np.minimum(*(-np.diff(value, append=0) for value, _, _ in domains))
    d = np.arange(1, len(gap) + 1)
    factor = (1 + np.sqrt(np.log(2 / risk) / 2)) * 16 * bound / (deviation * np.sqrt(n))
    stable = d[(gap >= factor * d**1.5) & (gap > 0)]
    if not len(stable):
        smallest = factor * deviation / gap[0] if gap[0] > 0 else np.inf
        raise ValueError(
            f'deviation {deviation}: no dimension is stable; dimension 1 is from '
            f'{smallest:.4g}'
        )
    return int(stable[-1])


def _spectrum(samples):
    """(eigenvalues of the covariance, descending; largest squared length; count)."""
    present = np.asarray(samples.mask) > 0
    x = np.asarray(samples.x, np.float64)[present]
    centred = x - x.mean(0)
    n, d = centred.shape
    gram = centred @ centred.T if n < d else centred.T @ centred
    with jax.enable_x64(True):
        value = np.asarray(jnp.linalg.eigvalsh(gram / n))[::-1]
    rounding = max(n, d) * np.finfo(float).eps * max(value[0], 0)
    value = np.where(value > rounding, value, 0)
    value = np.pad(value, (0, d - len(value)))
    return value, np.max(np.sum(centred**2, 1)), n
