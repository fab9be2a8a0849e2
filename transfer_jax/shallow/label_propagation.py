"""Label propagation from source to target by optimal transport.

Solomon, Rustamov, Guibas and Butscher, "Wasserstein Propagation for Semi-Supervised
Learning" (ICML 2014); as domain adaptation: Redko, Courty, Flamary and Tuia, AISTATS
2019.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks, transport, transport_plans
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array

MIN_SHARE = 1e-30  # of a class, so that its logarithm is finite


class Propagated(NamedTuple):
    """Target examples, and the class shares of the mass they received."""

    x: Array  # (m, d)
    weight: Array  # (m,), of sum 1, 0 in padding
    share: Array  # (m, c), of sum 1
    present: Array  # (c,), 1 if the source has the class, else 0
    converged: Array  # (), whether the entropic plan has converged


def label_propagation(
    classes: int, regularisation: Array | float | None = None
) -> Shallow:
    """Predicts the class of the mass that a target example receives.

    With a plan P and one-hot labels Y (n, c) of the source, the class shares are the
    rows of diag(b)^-1 P^T Y, and logits are their logarithms. Costs and weights are
    those of `transport`. The method is transductive: a new target example has the
    shares of the nearest fitted example. Mass from unlabelled source examples does not
    count; an example that receives no other has equal shares for all source classes.

    Args:
      classes: c.
      regularisation: of the entropic plan, in units of the largest cost; None is the
        exact plan, computed on the host.

    Raises:
      ValueError: a regularisation that is not positive.
    """
    if regularisation is not None:
        checks.positive('regularisation', regularisation)

    def fit(key, source, target):
        del key
        problem = transport_plans.transport_problem(source, target)
        marginals = problem.cost, problem.a, problem.b
        if regularisation is None:
            plan, converged = transport_plans.exact_plan(*marginals), jnp.array(True)
        else:
            solution = ops.entropic_plan(*marginals, regularisation)
            plan, converged = solution.matrix, solution.converged
        label = jnp.where(source.mask > 0, source.label, -1)
        one_hot = jax.nn.one_hot(label, classes, dtype=plan.dtype)
        mass = plan.T @ one_hot
        total = jnp.sum(mass, 1, keepdims=True)
        present = jnp.max(one_hot, 0)
        even = present / jnp.sum(present)
        share = jnp.where(total > 0, mass / jnp.where(total > 0, total, 1), even)
        return Propagated(target.x, problem.b, share, present, converged)

    def predict(fitted, x):
        share = _nearest_share(fitted, x)
        logits = jnp.log(jnp.maximum(share, MIN_SHARE))
        return jnp.where(fitted.present > 0, logits, ABSENT_LOGIT)

    def unchanged(fitted, x):
        return x

    return Shallow(
        fit, unchanged, unchanged, predict=predict, cautions=transport_plans.cautions
    )


def _nearest_share(fitted, x):
    def nearest():
        # Not [index]: a fit of NumPy arrays (device_get, pickle) has no traced index.
        index = transport.nearest(fitted.x, fitted.weight, x)
        return jnp.take(fitted.share, index, 0)

    if x.shape != fitted.x.shape:
        return nearest()
    # Equal examples may have different shares, which distances cannot distinguish.
    return lax.cond(jnp.all(x == fitted.x), lambda: fitted.share, nearest)
