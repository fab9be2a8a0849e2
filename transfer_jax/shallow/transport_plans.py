"""Transport plans between two weighted samples: the exact one, and what a fit says.

A plan is a matrix (n, m) of masses >= 0 whose rows sum to a (n,) and whose columns sum
to b (m,). Rows and columns of weight 0 are 0. The entropic plan is `ops.entropic_plan`.
"""

import chex

from transfer_jax.ops import host
from transfer_jax.types import Array

PIVOTS = 10_000_000  # of the network simplex


def exact_plan(cost: Array, a: Array, b: Array) -> Array:
    """argmin_P <P, cost>, (n, m), (n,), (m,) -> (n, m), by POT's network simplex.

    It runs on the host, on one core, also inside compiled programs.
    """
    chex.assert_rank([cost, a, b], [2, 1, 1])
    return host.call(_simplex, [cost.shape], cost, a, b)[0]


def caution(converged: Array) -> list[str]:
    """What a fit warns of if one of its entropic plans has not converged."""
    if converged:
        return []
    return [
        'an entropic transport plan has not converged, and its marginals were made '
        'exact by force: choose a larger regularisation, or the exact plan'
    ]


def _simplex(cost, a, b):
    import ot  # takes a second: imported only where it is used

    return (ot.emd(a, b * (a.sum() / b.sum()), cost, numItermax=PIVOTS),)
