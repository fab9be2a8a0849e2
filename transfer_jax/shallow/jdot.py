"""Joint Distribution Optimal Transport (Courty, Flamary, Habrard, Rakotomamonjy, 2017).

A linear classifier of target examples is learned jointly with a plan that transports
the features and labels of the source to target examples and their predictions.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks, linear, newton, transport_plans
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array

SAME = 1e-9  # a plan counts as unchanged if less mass than this moved
TOLERANCE = 1e-10  # gap of the classifier, as a share of its objective


class Jdot(NamedTuple):
    """Scores x weight + bias, and the state of the alternation."""

    weight: Array  # (d, c)
    bias: Array  # (c,), for a class without examples so low that it never wins
    change: Array  # (), mass that moved between the last two plans
    converged: Array  # (), whether all entropic plans have converged
    iterations: Array  # ()


def jdot(
    classes: int,
    feature_weight: Array | float = 1.0,
    cost: Array | float = 1.0,
    *,
    loss: str = 'squared_hinge',
    regularisation: Array | float | None = None,
    iterations: int = 10,
) -> Shallow:
    """Alternates between a transport plan and a classifier of the transported labels.

    min over plans P and linear f of
        sum_ij P_ij (feature_weight d_ij + L(y_i, f(x_j))) + 1 / (2 C m) |f|^2

    (NIPS 2017), where d is the squared distance divided by the largest of all pairs, so
    that feature_weight 1 is the paper's alpha. Given f, P is a transport plan; given P,
    f is learned from the m target examples with the soft labels m P^T Y. The first plan
    uses features only. The alternation ends after `iterations`, or when the plan no
    longer changes.

    L is 'squared_hinge' of one-vs-rest scores, as in the paper's classification
    experiments and the authors' code, or 'cross_entropy'. Labels of target examples
    forbid pairs of different classes, as in `transport`. Unlabelled source examples
    are compatible with all predictions.

    Deviation: weights are regularised as in `linear_svm` and `softmax_regression`, with
    a bias; the authors regularise the coefficients of a kernel expansion and have no
    bias.

    Args:
      classes: c.
      cost: C, as in `linear_svm`.
      loss: 'squared_hinge' or 'cross_entropy'.
      regularisation: the weight of sum P log P for an entropic plan; None is the exact
        plan, computed on the host.
      iterations: 10 in the authors' code.

    Raises:
      ValueError: an unknown loss, a negative feature_weight, or a cost, regularisation
        or number of iterations that is not positive.
    """
    if loss not in LOSSES:
        raise ValueError(f'no loss {loss!r}; choose from {", ".join(LOSSES)}')
    checks.not_negative('feature_weight', feature_weight)
    checks.positive('cost', cost)
    checks.positive('iterations', iterations)
    if regularisation is not None:
        checks.positive('regularisation', regularisation)
    joint = loss == 'cross_entropy'

    def fit(key, source, target):
        del key
        problem = transport_plans.transport_problem(source, target)
        label = jnp.where(source.mask > 0, source.label, -1)
        one_hot = jax.nn.one_hot(label, classes, dtype=problem.a.dtype)
        present = jnp.any(one_hot > 0, 0)
        size = jnp.sum(problem.b > 0)
        real = (problem.b > 0)[:, None]
        x = jnp.where(real, target.x, 0)
        z, ridge, back = (_free_bias if joint else _fixed_bias)(x, real)
        pairs, of_target = LOSSES[loss](one_hot, present)

        def costs(w, learnt):
            total = feature_weight * problem.cost + jnp.where(learnt, pairs(z @ w), 0)
            wall = problem.cost * (1 + jnp.max(jnp.where(problem.cost > 1, 0, total)))
            return jnp.where(problem.cost > 1, wall, total)

        def solve(total, duals):
            if regularisation is None:
                plan = transport_plans.exact_plan(total, problem.a, problem.b)
                return plan, duals, True
            solution = ops.entropic_plan(
                total, problem.a, problem.b, regularisation, start=duals
            )
            duals = solution.source, solution.target
            return solution.matrix, duals, solution.converged

        def unfinished(state):
            return ~(state.change <= SAME) & (state.count < iterations)

        def advance(state):
            plan, duals, converged = solve(costs(state.w, state.count > 0), state.duals)
            change = jnp.sum(jnp.abs(plan - state.plan))
            solution = newton.minimise(
                z,
                ridge,
                of_target(size * plan.T @ one_hot, cost),
                state.w,
                joint=joint,
                tolerance=TOLERANCE,
            )
            converged &= state.converged
            return _State(solution.w, plan, duals, change, converged, state.count + 1)

        start = _State(
            w=jnp.zeros((z.shape[1], classes), x.dtype),
            plan=jnp.zeros_like(problem.cost),
            duals=(jnp.zeros_like(problem.a), jnp.zeros_like(problem.b)),
            change=jnp.array(jnp.inf, x.dtype),
            converged=jnp.array(True),
            count=0,
        )
        end = lax.while_loop(unfinished, advance, start)
        weight, bias = back(end.w)
        bias = jnp.where(present, bias, ABSENT_LOGIT)
        return Jdot(weight, bias, end.change, end.converged, end.count)

    def predict(fitted, x):
        return x @ fitted.weight + fitted.bias

    def unchanged(fitted, x):
        return x

    return Shallow(
        fit, unchanged, unchanged, predict=predict, cautions=transport_plans.cautions
    )


class _State(NamedTuple):
    w: Array  # (r, c)
    plan: Array  # (n, m)
    duals: tuple[Array, Array]  # (n,), (m,)
    change: Array  # ()
    converged: Array  # ()
    count: Array  # ()


# The two forms of a loss: of all pairs, scores (m, c) -> (n, m); and of the target
# examples with soft labels (m, c).
_Pairs = Callable[[Array], Array]
_Soft = Callable[[Array, Array], newton.Loss]


def _squared_hinge(one_hot, present) -> tuple[_Pairs, _Soft]:
    others = jnp.where(jnp.any(one_hot > 0, 1, keepdims=True), 1 - one_hot, 0) * present

    def hinge(f):
        return jnp.maximum(1 - f, 0)

    def pairs(f):
        return one_hot @ (hinge(f) ** 2).T + others @ (hinge(-f) ** 2).T

    def of_target(soft, cost):
        positive = cost * soft
        negative = cost * (jnp.sum(soft, 1, keepdims=True) - soft) * present

        def diagonal(f):
            return 2 * (positive * (hinge(f) > 0) + negative * (hinge(-f) > 0))

        return newton.Loss(
            value=lambda f: positive * hinge(f) ** 2 + negative * hinge(-f) ** 2,
            slope=lambda f: 2 * (negative * hinge(-f) - positive * hinge(f)),
            curvature=lambda f, u: diagonal(f) * u,
            diagonal=diagonal,
        )

    return pairs, of_target


def _cross_entropy(one_hot, present) -> tuple[_Pairs, _Soft]:
    absent = jnp.where(present, 0, ABSENT_LOGIT)

    def surprise(f):
        return jax.nn.logsumexp(f + absent, 1, keepdims=True) - f

    def pairs(f):
        return one_hot @ surprise(f).T

    def of_target(soft, cost):
        soft = cost * soft
        scale = jnp.sum(soft, 1, keepdims=True)

        def curvature(f, u):
            p = jax.nn.softmax(f + absent)
            return scale * p * (u - jnp.sum(p * u, 1, keepdims=True))

        def diagonal(f):
            p = jax.nn.softmax(f + absent)
            return scale * p * (1 - p)

        return newton.Loss(
            value=lambda f: jnp.sum(soft * surprise(f), 1, keepdims=True),
            slope=lambda f: scale * jax.nn.softmax(f + absent) - soft,
            curvature=curvature,
            diagonal=diagonal,
        )

    return pairs, of_target


def _fixed_bias(x, real):
    """Coordinates of the features extended by a constant 1, which is regularised."""
    z, basis = linear.coordinates(jnp.concatenate([x, real.astype(x.dtype)], 1))

    def back(w):
        whole = basis @ w
        return whole[:-1], whole[-1]

    return z, jnp.ones((z.shape[1], 1), x.dtype), back


def _free_bias(x, real):
    """Coordinates of the centred features, and a constant 1 without regularisation."""
    centre = jnp.sum(x, 0) / jnp.sum(real)
    z, basis = linear.coordinates(jnp.where(real, x - centre, 0))
    z = jnp.concatenate([z, real.astype(x.dtype)], 1)

    def back(w):
        weight = basis @ w[:-1]
        return weight, w[-1] - centre @ weight

    return z, jnp.ones((z.shape[1], 1), x.dtype).at[-1].set(0), back


LOSSES = {'squared_hinge': _squared_hinge, 'cross_entropy': _cross_entropy}
