"""Optimal-transport sides of this library."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from benchmarks.shallow import objectives, ours
from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Side
from transfer_jax import shallow
from transfer_jax.shallow import transport, transport_plans, transport_regularised


def _first(features):
    return np.asarray(features[0])


def exact_transport(p):
    return ours.adapt(shallow.exact_transport(), p, _first)


def entropic_transport(p):
    return ours.adapt(shallow.entropic_transport(problems.ENTROPY), p, _first)


def _planned(align, p, objective, solve) -> Side:
    """A side whose answer is the objective of the plan; a fit does not store plans."""

    def answer(_):
        with jax.enable_x64(True):
            problem = transport_plans.transport_problem(*ours.samples(p))
            return objective(p, np.asarray(solve(*problem[:3], float(problem.scale))))

    return ours.adapt(align, p, None)._replace(answer=answer)


def _one_hot(p):
    return jax.nn.one_hot(p.ys, problems.CLASSES, dtype=jnp.float64)


def group_lasso_transport(p):
    align = shallow.group_lasso_transport(
        problems.ENTROPY,
        problems.GROUPS,
        classes=problems.CLASSES,
        iterations=problems.TURNS,
    )

    def solve(cost, a, b, _):
        penalty = transport_regularised.group_lasso(_one_hot(p), problems.GROUPS)
        return transport_regularised.conditional_gradient(
            cost,
            a,
            b,
            penalty,
            problems.ENTROPY,
            tolerance=transport.GAP,
            iterations=problems.TURNS,
        ).matrix

    return _planned(align, p, objectives.group_lasso, solve)


def class_transport(p):
    align = shallow.class_transport(
        problems.ENTROPY,
        problems.GROUPS,
        classes=problems.CLASSES,
        iterations=problems.ITERATIONS,
    )

    def solve(cost, a, b, _):
        return transport_regularised.class_concave(
            cost,
            a,
            b,
            _one_hot(p),
            problems.ENTROPY,
            problems.GROUPS,
            iterations=problems.ITERATIONS,
            offset=1e-3,
        ).matrix

    return _planned(align, p, objectives.class_concave, solve)


def laplacian_transport(p):
    align = shallow.laplacian_transport(
        problems.GRAPH,
        neighbours=problems.GRAPH_NEIGHBOURS,
        iterations=problems.TURNS,
    )

    def solve(cost, a, b, scale):
        xs, xt = p.xs / np.sqrt(scale), p.xt / np.sqrt(scale)
        graphs = [
            transport_regularised.neighbour_graph(
                jnp.asarray(x), jnp.ones(len(x)), problems.GRAPH_NEIGHBOURS
            )
            for x in (xs, xt)
        ]
        return transport_regularised.conditional_gradient(
            cost,
            a,
            b,
            transport_regularised.laplacian(xs, xt, graphs, problems.GRAPH, 0.5),
            None,
            tolerance=transport.GAP,
            iterations=problems.TURNS,
        ).matrix

    return _planned(align, p, objectives.laplacian, solve)


def jdot(p):
    # skada divides costs by their mean, and takes half of both terms.
    mean = problems.squared_distances(p.xs, p.xt).mean()
    align = shallow.jdot(
        problems.CLASSES,
        problems.largest_cost(p) / mean,
        loss='cross_entropy',
        iterations=problems.ITERATIONS,
    )
    return ours.classify(align, p, lambda logits: special.softmax(logits, 1))


def label_propagation(p):
    align = shallow.label_propagation(problems.CLASSES)
    return ours.classify(align, p, lambda logits: np.exp(np.asarray(logits)))
