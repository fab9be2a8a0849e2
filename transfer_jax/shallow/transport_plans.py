"""The transport problem between two domains, its exact plan, and what a fit warns of.

A plan is a matrix (n, m) of masses >= 0 whose rows sum to a (n,) and whose columns sum
to b (m,). Rows and columns of weight 0 are 0. The entropic plan is `ops.entropic_plan`.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.ops import host
from transfer_jax.types import Array, PyTree, Samples

PIVOTS = 10_000_000  # of the network simplex


class Problem(NamedTuple):
    """A transport problem between two domains."""

    cost: Array  # (n, m), at most 1 unless labels forbid the pair
    a: Array  # (n,), weights of the source examples, of sum 1
    b: Array  # (m,)
    scale: Array  # (), the largest squared distance


def transport_problem(source: Samples, target: Samples) -> Problem:
    """Costs and weights of all pairs; pairs of different labels are forbidden.

    A forbidden pair costs as much as the number of examples. Using one never pays,
    because exchanging masses along any cycle of pairs costs less.
    """
    a, b = (part.mask / jnp.sum(part.mask) for part in (source, target))
    pairs = (a > 0)[:, None] & (b > 0)
    cost = ops.squared_distances(present(source), present(target))
    scale = jnp.max(jnp.where(pairs, cost, 0))
    scale = jnp.where(scale > 0, scale, 1)
    labelled = (source.label >= 0)[:, None] & (target.label >= 0)
    forbidden = labelled & (source.label[:, None] != target.label)
    wall = jnp.sum(source.mask > 0) + jnp.sum(target.mask > 0)
    cost = jnp.where(pairs, cost / scale, 0) + jnp.where(forbidden, wall, 0)
    return Problem(cost, a, b, scale)


def exact_plan(cost: Array, a: Array, b: Array) -> Array:
    """argmin_P <P, cost>, (n, m), (n,), (m,) -> (n, m), by POT's network simplex.

    It runs on the host, on one core, also inside compiled programs.
    """
    chex.assert_rank([cost, a, b], [2, 1, 1])
    return host.call(_simplex, [cost.shape], cost, a, b)[0]


def cautions(fitted: PyTree, source: Samples, target: Samples) -> list[str]:
    """What the fit of a method with entropic plans warns of (`Shallow.cautions`)."""
    del source, target
    if fitted.converged:
        return []
    return [
        'an entropic transport plan has not converged, and its marginals were made '
        'exact by force: choose a larger regularisation, or the exact plan'
    ]


def present(samples: Samples) -> Array:
    """The features (n, d), 0 in padding."""
    return jnp.where((samples.mask > 0)[:, None], samples.x, 0)


def _simplex(cost, a, b):
    import ot  # takes a second: imported only where it is used

    return (ot.emd(a, b * (a.sum() / b.sum()), cost, numItermax=PIVOTS),)
