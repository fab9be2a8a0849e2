"""NumPy and SciPy sides of transport, instance weights and two-sample tests."""

import numpy as np
from scipy import optimize
from sklearn import linear_model, svm

from benchmarks.shallow import objectives
from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem, Side


def assignment(p: Problem) -> Side:
    """Exact transport between domains of equal size, which is a permutation."""

    def run():
        cost = problems.squared_distances(p.xs, p.xt)
        cost /= cost.max()
        return p.xt[optimize.linear_sum_assignment(cost)[1]]

    return Side(run, np.asarray)


def sinkhorn(p):
    """Sinkhorn scaling of one kernel matrix, which must not underflow."""

    def run():
        cost = problems.squared_distances(p.xs, p.xt)
        cost /= cost.max()
        values = np.exp(cost / -problems.ENTROPY)
        n, m = values.shape
        u = np.ones(n)
        while True:
            for _ in range(10):
                v = 1 / m / (u @ values)
                u = 1 / n / (values @ v)
            if np.abs(v * (u @ values) - 1 / m).sum() <= 1e-9:
                break
        plan = u[:, None] * values * v
        return plan @ p.xt / plan.sum(1)[:, None]

    return Side(run, np.asarray)


def assigned_labels(p):
    def run():
        cost = problems.squared_distances(p.xs, p.xt)
        source, target = optimize.linear_sum_assignment(cost)
        share = np.zeros((len(p.xt), problems.CLASSES))
        share[target, p.ys[source]] = 1
        return share

    return Side(run, np.asarray)


def kmm(p):
    """L-BFGS over the box; the bound on the sum is checked afterwards."""

    def run():
        width = -2 * problems.variance(p)
        within = np.exp(problems.squared_distances(p.xs, p.xs) / width)
        between = np.exp(problems.squared_distances(p.xs, p.xt) / width)
        n = len(within)
        towards = n * between.mean(1)

        def objective(b):
            image = within @ b
            return b @ image / 2 - towards @ b, image - towards

        weight = optimize.minimize(
            objective,
            np.ones(n),
            jac=True,
            method='L-BFGS-B',
            bounds=[(0, problems.BOUND)] * n,
            options={'maxiter': 10_000, 'maxfun': 100_000, 'ftol': 0, 'gtol': 1e-6},
        ).x
        if abs(weight.sum() - n) > n - np.sqrt(n):
            raise ValueError('the bound on the sum holds with equality')
        return weight

    return Side(run, lambda weight: objectives.mean_matching(p, weight))


def kliep(p, candidates):
    """L-BFGS on mean_s w - mean_t log w, at whose minimum mean_s w is 1."""

    def values(x, centre, variance):
        return np.exp(problems.squared_distances(x, centre) / (-2 * variance))

    def fit(xt, centre, variance):
        target_values = values(xt, centre, variance)
        source_mean = values(p.xs, centre, variance).mean(0)

        def objective(share):
            w = target_values @ share
            slope = source_mean - (1 / w) @ target_values / len(w)
            return source_mean @ share - np.log(w).mean(), slope

        start = np.full(len(centre), 1 / source_mean.sum())
        return optimize.minimize(
            objective,
            start,
            jac=True,
            method='L-BFGS-B',
            bounds=[(0, None)] * len(centre),
            options={'maxiter': 1_000, 'ftol': 1e-12, 'gtol': 1e-8},
        ).x

    def run():
        centre = p.xt[problems.evenly_spaced(len(p.xt), problems.CENTRES)]
        fold = np.arange(len(p.xt)) % problems.FOLDS
        score = []
        for variance in candidates if len(candidates) > 1 else ():
            total = 0.0
            for k in range(problems.FOLDS):
                share = fit(p.xt[fold != k], centre, variance)
                away = values(p.xt[fold == k], centre, variance)
                total += np.log(np.maximum(away @ share, 1e-300)).sum()
            score.append(total)
        variance = candidates[int(np.argmax(score))] if score else candidates[0]
        share = fit(p.xt, centre, variance)
        return centre, share, variance, values(p.xs, centre, variance) @ share

    return Side(run, lambda result: objectives.importance(p, *result[:3]))


def density_ratio(p, solver):
    def run():
        x = np.concatenate([p.xs, p.xt])
        domain = np.repeat([0, 1], [len(p.xs), len(p.xt)])
        model = linear_model.LogisticRegression(C=1.0, solver=solver, max_iter=1_000)
        return model.fit(x, domain).decision_function(p.xs)

    return Side(run, lambda logarithm: logarithm - logarithm.mean())


def mmd_test(p):
    def run():
        x = np.concatenate([p.xs, p.xt])
        n, m = len(p.xs), len(p.xt)
        squared = problems.squared_distances(x, x)
        pairs = squared[np.triu_indices(n + m, 1)]
        middle = (len(pairs) - 1) // 2
        values = np.exp(squared / -np.partition(pairs, middle)[middle])
        weight = np.repeat([1 / n, -1 / m], [n, m])
        rng = np.random.default_rng(0)
        many = np.tile(weight, (problems.PERMUTATIONS, 1))
        many = np.vstack([weight, rng.permuted(many, axis=1)]).T
        statistic = np.sum(many * (values @ many), 0)
        p_value = np.mean(statistic >= statistic[0])
        return statistic[0], p_value

    return Side(run, lambda result: np.array(result[0]))


def proxy_a_distance(p):
    def run():
        rng = np.random.default_rng(0)
        trained, measured = [], []
        for x in (p.xs, p.xt):
            order = rng.permutation(len(x))
            trained.append(x[order[: len(x) // 2]])
            measured.append(x[order[len(x) // 2 :]])
        domain = np.repeat([0, 1], [len(x) for x in trained])
        model = svm.LinearSVC(C=1.0).fit(np.concatenate(trained), domain)
        errors = [np.mean(model.predict(x) != d) for d, x in enumerate(measured)]
        return max(0.0, 2 * (1 - sum(errors)))

    return Side(run, np.array)
