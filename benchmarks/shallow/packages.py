"""Sides of skada 0.6, POT 0.9.7 and scikit-learn."""

import functools

import numpy as np

from benchmarks.shallow import objectives
from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem, Side

LARGE = 10_000_000  # iterations; a limit that no run reaches
TOLERANCE = 1e-9


def domains(p: Problem):
    """All features and the domain of each, in skada's format."""
    domain = np.repeat([1, -2], [len(p.xs), len(p.xt)])
    return np.concatenate([p.xs, p.xt]), domain


def labels(p: Problem):
    return np.concatenate([p.ys, np.full(len(p.xt), -1)])


def adapted(p, make, answer, *, with_labels=False) -> Side:
    """A side of an adapter that gives features."""

    def run():
        x, domain = domains(p)
        y = labels(p) if with_labels else None
        z = make().fit_transform(x, y, sample_domain=domain)
        return z[: len(p.xs)], z[len(p.xs) :]

    return Side(run, answer)


def _weighted(p, make, answer) -> Side:
    """A side of an adapter that gives weights."""

    def run():
        x, domain = domains(p)
        model = make().fit(x, sample_domain=domain)
        weight = model.compute_weights(x, sample_domain=domain)
        return model, weight[: len(p.xs)]

    return Side(run, answer)


def sklearn_pca(p):
    from sklearn.decomposition import PCA

    def run():
        model = PCA(problems.DIMENSION, svd_solver='covariance_eigh')
        model.fit(np.concatenate([p.xs, p.xt]))
        return model.transform(p.xs), model.transform(p.xt)

    return Side(run, problems.kernel)


def subspace_alignment(p):
    from skada import SubspaceAlignmentAdapter

    make = functools.partial(
        SubspaceAlignmentAdapter, n_components=problems.DIMENSION, random_state=0
    )
    return adapted(p, make, problems.centred_kernel)


def tca(p, kernel):
    from skada import TransferComponentAnalysisAdapter

    make = functools.partial(
        TransferComponentAnalysisAdapter, kernel, problems.DIMENSION, mu=1.0
    )
    return adapted(p, make, problems.kernel)


def tjm(p):
    from skada import TransferJointMatchingAdapter

    make = functools.partial(
        TransferJointMatchingAdapter,
        problems.DIMENSION,
        tradeoff=1.0,
        max_iter=problems.ITERATIONS,
        kernel='rbf',
        tol=-1.0,  # with any other it stops after one iteration
    )
    return adapted(p, make, problems.kernel)


def coral(p):
    from skada import CORALAdapter

    # (C + I) / 2 with C divided by n. This is our regularisation up to a factor that
    # both domains share, because the mean variance of either is 1.
    make = functools.partial(CORALAdapter, reg=0.5)
    return adapted(p, make, problems.centred_kernel)


def jdot(p):
    from skada import JDOTClassifier
    from sklearn.linear_model import LogisticRegression

    def run():
        x, domain = domains(p)
        learner = LogisticRegression(C=1.0, max_iter=1_000)
        model = JDOTClassifier(
            learner, alpha=0.5, n_iter_max=problems.ITERATIONS, tol=TOLERANCE
        )
        model.fit(x, labels(p), sample_domain=domain)
        return model.predict_proba(p.xt)

    return Side(run, np.asarray)


def skada_labels(p):
    from skada import OTLabelPropAdapter

    def run():
        x, domain = domains(p)
        model = OTLabelPropAdapter(n_iter_max=LARGE)
        model.fit_transform(x, labels(p), sample_domain=domain)
        return model.yht_continuous_

    return Side(run, lambda mass: mass * len(p.xt))


def kmm(p, solver):
    from skada import KMMReweightAdapter

    make = functools.partial(
        KMMReweightAdapter,
        gamma=0.5 / problems.variance(p),
        B=problems.BOUND,
        solver=solver,
    )
    return _weighted(p, make, lambda result: objectives.mean_matching(p, result[1]))


class _Even(np.random.RandomState):
    """Chooses rows like our side, so that both have the same centres."""

    def choice(self, rows, size):
        return rows[problems.evenly_spaced(len(rows), size)]


def kliep(p, candidates):
    from skada import KLIEPReweightAdapter

    gammas = [0.5 / v for v in candidates]
    make = functools.partial(
        KLIEPReweightAdapter,
        gamma=gammas if len(gammas) > 1 else gammas[0],
        cv=problems.FOLDS,
        n_centers=problems.CENTRES,
        random_state=_Even(0),
    )

    def answer(result):
        model = result[0]
        width = 0.5 / model.best_gamma_
        return objectives.importance(p, model.centers_, model.alpha_, width)

    return _weighted(p, make, answer)


def density_ratio(p):
    from skada import DiscriminatorReweightAdapter
    from sklearn.linear_model import LogisticRegression

    learner = LogisticRegression(C=1.0, max_iter=1_000)
    make = functools.partial(DiscriminatorReweightAdapter, learner)

    def answer(result):
        # skada 0.6 has p_source / p_target.
        logarithm = -np.log(result[1])
        return logarithm - logarithm.mean()

    return _weighted(p, make, answer)


def dasvm(p):
    from skada._self_labeling import DASVMClassifier
    from sklearn.svm import SVC

    def run():
        x, domain = domains(p)
        model = DASVMClassifier(SVC(kernel='linear'), max_iter=problems.EXCHANGES)
        y = np.concatenate([problems.halves(p), np.full(len(p.xt), -1)])
        model.fit(x, y, sample_domain=domain)
        return model.predict(p.xt)

    return Side(run, np.asarray)
