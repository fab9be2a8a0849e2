"""The sides of skada 0.6, POT 0.9.7 and scikit-learn, where they have the method."""

import functools

import numpy as np

from benchmarks.shallow import objectives
from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem, Side

LARGE = 10_000_000  # of iterations: none ends by it
TOLERANCE = 1e-9


def domains(p: Problem):
    """All features, and which domain each is of, as skada has it."""
    domain = np.repeat([1, -2], [len(p.xs), len(p.xt)])
    return np.concatenate([p.xs, p.xt]), domain


def labels(p: Problem):
    return np.concatenate([p.ys, np.full(len(p.xt), -1)])


def adapted(p, make, answer, *, with_labels=False) -> Side:
    """An adapter that gives features."""

    def run():
        x, domain = domains(p)
        y = labels(p) if with_labels else None
        z = make().fit_transform(x, y, sample_domain=domain)
        return z[: len(p.xs)], z[len(p.xs) :]

    return Side(run, answer)


def _weighted(p, make, answer) -> Side:
    """An adapter that gives weights."""

    def run():
        x, domain = domains(p)
        made = make().fit(x, sample_domain=domain)
        weight = made.compute_weights(x, sample_domain=domain)
        return made, weight[: len(p.xs)]

    return Side(run, answer)


def sklearn_pca(p):
    from sklearn.decomposition import PCA

    def run():
        made = PCA(problems.DIMENSION, svd_solver='covariance_eigh')
        made.fit(np.concatenate([p.xs, p.xt]))
        return made.transform(p.xs), made.transform(p.xt)

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
        tol=-1.0,  # any other ends after the first iteration, which is no test of it
    )
    return adapted(p, make, problems.kernel)


def coral(p):
    from skada import CORALAdapter

    # (C + I) / 2 with C divided by n: ours up to a factor that both domains share,
    # because the mean variance of either is 1.
    make = functools.partial(CORALAdapter, reg=0.5)
    return adapted(p, make, problems.centred_kernel)


def jdot(p):
    from skada import JDOTClassifier
    from sklearn.linear_model import LogisticRegression

    def run():
        x, domain = domains(p)
        learner = LogisticRegression(C=1.0, max_iter=1_000)
        made = JDOTClassifier(
            learner, alpha=0.5, n_iter_max=problems.ITERATIONS, tol=TOLERANCE
        )
        made.fit(x, labels(p), sample_domain=domain)
        return made.predict_proba(p.xt)

    return Side(run, np.asarray)


def skada_labels(p):
    from skada import OTLabelPropAdapter

    def run():
        x, domain = domains(p)
        made = OTLabelPropAdapter(n_iter_max=LARGE)
        made.fit_transform(x, labels(p), sample_domain=domain)
        return made.yht_continuous_

    return Side(run, lambda mass: mass * len(p.xt))


def kmm(p, solver):
    from skada import KMMReweightAdapter

    make = functools.partial(
        KMMReweightAdapter,
        gamma=0.5 / problems.variance(p),
        B=problems.BOUND,
        solver=solver,
    )
    return _weighted(p, make, lambda found: objectives.mean_matching(p, found[1]))


class _Even(np.random.RandomState):
    """Chooses as we do, so that both sides have the same centres."""

    def choice(self, rows, size):
        return rows[problems.spread(len(rows), size)]


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

    def answer(found):
        made = found[0]
        width = 0.5 / made.best_gamma_
        return objectives.importance(p, made.centers_, made.alpha_, width)

    return _weighted(p, make, answer)


def density_ratio(p):
    from skada import DiscriminatorReweightAdapter
    from sklearn.linear_model import LogisticRegression

    learner = LogisticRegression(C=1.0, max_iter=1_000)
    make = functools.partial(DiscriminatorReweightAdapter, learner)

    def answer(found):
        # skada 0.6 has p_source / p_target.
        logarithm = -np.log(found[1])
        return logarithm - logarithm.mean()

    return _weighted(p, make, answer)


def dasvm(p):
    from skada._self_labeling import DASVMClassifier
    from sklearn.svm import SVC

    def run():
        x, domain = domains(p)
        made = DASVMClassifier(SVC(kernel='linear'), max_iter=problems.EXCHANGES)
        y = np.concatenate([problems.halves(p), np.full(len(p.xt), -1)])
        made.fit(x, y, sample_domain=domain)
        return made.predict(p.xt)

    return Side(run, np.asarray)
