"""Optimal-transport sides of skada 0.6 and POT 0.9.7."""

import functools

import numpy as np

from benchmarks.shallow import objectives
from benchmarks.shallow import problem as problems
from benchmarks.shallow.packages import LARGE, TOLERANCE, adapted, domains, labels
from benchmarks.shallow.problem import Side


def skada_exact(p):
    from skada import OTMappingAdapter

    make = functools.partial(OTMappingAdapter, norm='max', max_iter=LARGE)
    return adapted(p, make, lambda features: features[0], with_labels=True)


def skada_entropic(p):
    from skada import EntropicOTMappingAdapter

    make = functools.partial(
        EntropicOTMappingAdapter,
        problems.ENTROPY,
        norm='max',
        max_iter=problems.INNER,
        tol=TOLERANCE,
    )
    return adapted(p, make, lambda features: features[0], with_labels=True)


def skada_classes(p, norm):
    from skada import ClassRegularizerOTMappingAdapter

    # The adapter cannot normalise costs, so the weights are scaled instead.
    scale = problems.largest_cost(p)
    make = functools.partial(
        ClassRegularizerOTMappingAdapter,
        problems.ENTROPY * scale,
        problems.GROUPS * scale,
        norm=norm,
        max_iter=problems.ITERATIONS if norm == 'lpl1' else problems.TURNS,
        max_inner_iter=problems.INNER,
        tol=TOLERANCE,
    )
    objective = {
        'lpl1': objectives.class_concave,
        'l1l2': objectives.group_lasso,
    }[norm]

    def run():
        x, domain = domains(p)
        model = make()
        z = model.fit_transform(x, labels(p), sample_domain=domain)
        return model, z

    return Side(run, lambda result: objective(p, result[0].ot_transport_.coupling_))


def _transported(p, make, answer) -> Side:
    """A side of a class of ot.da."""

    def run():
        model = make().fit(Xs=p.xs, ys=p.ys, Xt=p.xt)
        return model, model.transform(Xs=p.xs)

    return Side(run, answer)


def pot_exact(p):
    import ot

    make = functools.partial(ot.da.EMDTransport, norm='max', max_iter=LARGE)
    return _transported(p, make, lambda result: result[1])


def pot_entropic(p, method):
    import ot

    def run():
        cost = ot.dist(p.xs, p.xt)
        cost /= cost.max()
        plan = ot.sinkhorn(
            ot.unif(len(p.xs)),
            ot.unif(len(p.xt)),
            cost,
            problems.ENTROPY,
            method=method,
            numItermax=problems.INNER,
            stopThr=TOLERANCE,
        )
        return plan @ p.xt / plan.sum(1)[:, None]

    return Side(run, np.asarray)


def pot_groups(p):
    import ot

    make = functools.partial(
        ot.da.SinkhornL1l2Transport,
        problems.ENTROPY,
        problems.GROUPS,
        max_iter=problems.TURNS,
        max_inner_iter=problems.INNER,
        tol=TOLERANCE,
        norm='max',
    )
    return _transported(
        p, make, lambda result: objectives.group_lasso(p, result[0].coupling_)
    )


def pot_classes(p):
    import ot

    make = functools.partial(
        ot.da.SinkhornLpl1Transport,
        problems.ENTROPY,
        problems.GROUPS,
        max_iter=problems.ITERATIONS,
        max_inner_iter=problems.INNER,
        tol=TOLERANCE,
        norm='max',
    )
    return _transported(
        p, make, lambda result: objectives.class_concave(p, result[0].coupling_)
    )


def pot_laplacian(p):
    import ot

    make = functools.partial(
        ot.da.EMDLaplaceTransport,
        reg_lap=problems.GRAPH / problems.largest_cost(p),
        reg_src=0.5,
        norm='max',
        similarity_param=problems.GRAPH_NEIGHBOURS,
        max_iter=problems.TURNS,
        max_inner_iter=LARGE,
    )
    return _transported(
        p, make, lambda result: objectives.laplacian(p, result[0].coupling_)
    )
