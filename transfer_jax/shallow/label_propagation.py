"""Labels of the target by optimal transport from the source.

Solomon, Rustamov, Guibas and Butscher, "Wasserstein Propagation for Semi-Supervised
Learning" (ICML 2014); as domain adaptation: Redko, Courty, Flamary and Tuia, AISTATS
2019.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.shallow import checks, transport, transport_plans
from transfer_jax.shallow.classifiers import FARTHEST
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array

LEAST = 1e-30  # share of a class, so that its logarithm is finite


class Propagated(NamedTuple):
    """Target examples and the shares of classes in what they received."""

    x: Array  # (m, d)
    weight: Array  # (m,), of sum 1, 0 for padding
    share: Array  # (m, c), of sum 1
    present: Array  # (c,), 1 where the source has the class, or 0


def label_propagation(
    classes: int, regularisation: Array | float | None = None
) -> Shallow:
    """The class of a target example is that of the masses transported to it.

    With a plan P and one-hot labels Y (n, c) of the source, the shares of classes are
    the rows of diag(b)^-1 P^T Y, and logits are their logarithms. Costs and weights are
    those of `transport`. Transductive: another target example has the shares of the
    nearest example of the fit. Mass from unlabelled source examples does not count;
    where there is no other, the classes of the source are equally likely.

    Args:
      classes: c.
      regularisation: of the entropic plan, in units of the largest cost; None is the
        exact plan, which is found on the host.

    Raises:
      ValueError: a regularisation that is not positive.
    """
    if regularisation is not None:
        checks.positive('regularisation', regularisation)

    def fit(key, source, target):
        del key
        problem = transport.transport_problem(source, target)
        marginals = problem.cost, problem.a, problem.b
        if regularisation is None:
            plan = transport_plans.exact_plan(*marginals)
        else:
            plan = transport_plans.entropic_plan(*marginals, regularisation).matrix
        label = jnp.where(source.mask > 0, source.label, -1)
        own = jax.nn.one_hot(label, classes, dtype=plan.dtype)
        mass = plan.T @ own
        total = jnp.sum(mass, 1, keepdims=True)
        present = jnp.max(own, 0)
        even = present / jnp.sum(present)
        share = jnp.where(total > 0, mass / jnp.where(total > 0, total, 1), even)
        return Propagated(target.x, problem.b, share, present)

    def predict(fitted, x):
        share = _of_nearest(fitted, x)
        logits = jnp.log(jnp.maximum(share, LEAST))
        return jnp.where(fitted.present > 0, logits, FARTHEST)

    def same(fitted, x):
        return x

    return Shallow(fit, same, same, predict=predict)


def _of_nearest(fitted, x):
    def nearest():
        return fitted.share[transport.nearest(fitted.x, fitted.weight, x)]

    if x.shape != fitted.x.shape:
        return nearest()
    # Of equal examples each has its own shares, which no distance can tell.
    return lax.cond(jnp.all(x == fitted.x), lambda: fitted.share, nearest)
