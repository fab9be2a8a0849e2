"""NumPy, SciPy and scikit-learn sides of classifiers and metric learning."""

import numpy as np
from scipy import optimize
from sklearn import neighbors, svm

from benchmarks.shallow import problem as problems
from benchmarks.shallow import projections
from benchmarks.shallow.problem import Problem, Side

COUNT = problems.CLASSES


def tradaboost(p: Problem) -> Side:
    def run():
        x, label = problems.labelled(p)
        n, rounds = len(p.xs), problems.ROUNDS
        shrink = 1 / (1 + np.sqrt(2 * np.log(n) / rounds))
        weight = np.ones(len(x))
        votes = np.zeros((len(p.xt), COUNT))
        for t in range(1, rounds + 1):
            weight /= weight.sum()
            model = svm.LinearSVC(C=1.0)
            model.fit(x, label, sample_weight=weight * len(x))
            wrong = model.predict(x) != label
            error = weight[n:] @ wrong[n:] / weight[n:].sum()
            error = min(max(error, 1e-10), 0.49)
            beta = error / (1 - error)
            weight[:n][wrong[:n]] *= shrink
            weight[n:][wrong[n:]] /= beta
            if t >= -(-rounds // 2):
                votes[np.arange(len(votes)), model.predict(p.xt)] -= np.log(beta)
        return votes.argmax(1)

    return Side(run, np.asarray)


def adaptive_svm(p):
    """LinearSVC, then L-BFGS on the dual problem of each class's correction."""

    def run():
        base = svm.LinearSVC(C=1.0).fit(p.xs, p.ys)
        given = p.yt >= 0
        x = np.concatenate([p.xt[given], np.ones((given.sum(), 1))], 1)
        before = base.decision_function(p.xt)
        gram, w = x @ x.T, np.zeros((COUNT, x.shape[1]))
        for c in range(COUNT):
            sign = np.where(p.yt[given] == c, 1.0, -1.0)
            lack = 1 - sign * before[given, c]
            matrix = sign[:, None] * gram * sign

            def dual(a, matrix=matrix, lack=lack):
                image = matrix @ a
                return a @ image / 2 - lack @ a, image - lack

            multipliers = optimize.minimize(
                dual,
                np.zeros(len(sign)),
                jac=True,
                method='L-BFGS-B',
                bounds=[(0, 1)] * len(sign),
                options={'maxiter': 10_000, 'ftol': 1e-12, 'gtol': 1e-6},
            ).x
            w[c] = (multipliers * sign) @ x
        return before + p.xt @ w[:, :-1].T + w[:, -1]

    return Side(run, np.asarray)


def easy_adapt(p):
    def run():
        given = p.yt >= 0
        none = np.zeros_like(p.xs)
        source = np.concatenate([p.xs, p.xs, none], 1)
        target = np.concatenate([p.xt, np.zeros_like(p.xt), p.xt], 1)
        model = svm.LinearSVC(C=1.0)
        model.fit(
            np.concatenate([source, target[given]]),
            np.concatenate([p.ys, p.yt[given]]),
        )
        return model.decision_function(target)

    return Side(run, np.asarray)


def itml(p):
    """Bregman projections one by one, on the smaller of metric and kernel matrix."""
    # Both sides use the pairs that our side draws, because random numbers differ.
    from benchmarks.shallow import ours_classifiers

    pairs = ours_classifiers.itml_pairs(p)

    def run():
        x, label = np.concatenate([p.xs, p.xt]), np.concatenate([p.ys, p.yt])
        rows = np.flatnonzero(label >= 0)
        index = np.zeros(len(x), int)
        index[rows] = np.arange(len(rows))
        x, label = x[rows], label[rows]
        first, second = index[pairs].T
        difference = x[first] - x[second]
        squared = np.sum(difference**2, 1)
        low, high = np.quantile(squared, [0.05, 0.95])
        sign = np.where(label[first] == label[second], 1, -1)
        slack = np.where(sign > 0, low, high)
        multiplier, total = np.zeros(len(pairs)), np.zeros(len(pairs))
        in_kernel = len(x) < x.shape[1]
        matrix = x @ x.T if in_kernel else np.eye(x.shape[1])
        for _ in range(problems.SWEEPS):
            for k, (i, j) in enumerate(zip(first, second, strict=True)):
                if in_kernel:
                    image = matrix[i] - matrix[j]
                    distance = image[i] - image[j]
                else:
                    image = matrix @ difference[k]
                    distance = difference[k] @ image
                step = sign[k] * (1 / distance - 1 / slack[k]) / 2
                step = min(multiplier[k], step)
                beta = sign[k] * step / (1 - sign[k] * step * distance)
                slack[k] = 1 / (1 / slack[k] + sign[k] * step)
                multiplier[k] -= step
                total[k] += sign[k] * step
                matrix += np.outer(beta * image, image)
        inverse = np.eye(x.shape[1]) - (difference.T * total) @ difference
        value, turn = np.linalg.eigh(inverse)
        factor = turn / np.sqrt(value) @ turn.T
        return p.xs @ factor, p.xt @ factor

    return Side(run, problems.kernel)


def nbnn(p):
    """All distances to a class by one matrix product."""

    def run():
        k = p.xs.shape[1] // problems.DESCRIPTORS
        query = p.xt.reshape(-1, k)
        logits = np.empty((len(p.xt), COUNT))
        for c in range(COUNT):
            near = problems.squared_distances(query, p.xs[p.ys == c].reshape(-1, k))
            logits[:, c] = -near.min(1).reshape(len(p.xt), -1).sum(1)
        return logits

    return Side(run, np.asarray)


def sklearn_nbnn(p):
    def run():
        k = p.xs.shape[1] // problems.DESCRIPTORS
        query = p.xt.reshape(-1, k)
        logits = np.empty((len(p.xt), COUNT))
        for c in range(COUNT):
            search = neighbors.NearestNeighbors(n_neighbors=1, algorithm='brute')
            search.fit(p.xs[p.ys == c].reshape(-1, k))
            near = search.kneighbors(query)[0][:, 0] ** 2
            logits[:, c] = -near.reshape(len(p.xt), -1).sum(1)
        return logits

    return Side(run, np.asarray)


def nearest_neighbours(p):
    def run():
        model = neighbors.KNeighborsClassifier(problems.NEIGHBOURS, algorithm='brute')
        return model.fit(p.xs, p.ys).predict(p.xt)

    return Side(run, np.asarray)


def _means(p):
    """Means of the classes in the source, then in the target, (2 c, d)."""
    given = p.yt >= 0
    means = []
    for x, label in ((p.xs, p.ys), (p.xt[given], p.yt[given])):
        one_hot = np.eye(COUNT)[label]
        means.append(one_hot.T @ x / one_hot.sum(0)[:, None])
    return np.concatenate(means)


def _mixture(squared):
    """Logits (n, c) from squared distances (n, 2 c), and the exponents."""
    each = squared.reshape(len(squared), 2, COUNT) / -2
    peak = each.max(1)
    return np.log(np.exp(each - peak[:, None]).sum(1)) + peak, each


def dscm(p):
    def run():
        return _mixture(problems.squared_distances(p.xt, _means(p)))[0]

    return Side(run, np.asarray)


def dscm_metric(p):
    """Our steps in NumPy: full-batch gradients with an adaptive step length."""
    p = problems.near(p)

    def run():
        x, label = problems.labelled(p)
        mean, one_hot = _means(p), np.eye(COUNT)[label]
        size = len(x)

        def loss(metric):
            z, centre = x @ metric, mean @ metric
            score, each = _mixture(problems.squared_distances(z, centre))
            top = score.max(1, keepdims=True)
            odds = np.exp(score - top)
            total = odds.sum(1, keepdims=True)
            logged = score - top - np.log(total)
            pull = (odds / total - one_hot)[:, None] * np.exp(each - score[:, None])
            pull = pull.reshape(size, -1) / -size
            moved = pull.sum(1)[:, None] * z - pull @ centre
            still = pull.T @ z - pull.sum(0)[:, None] * centre
            slope = x.T @ moved - mean.T @ still
            return -logged[np.arange(size), label].mean(), slope

        metric = projections.directions(x, 'eigh')
        value, slope = loss(metric)
        rate = 0.1 * np.linalg.norm(metric) / np.linalg.norm(slope)
        for _ in range(problems.STEPS):
            trial = metric - rate * slope
            new, new_slope = loss(trial)
            if new < value:
                metric, value, slope, rate = trial, new, new_slope, 1.5 * rate
            else:
                rate /= 2
        predicted = _mixture(problems.squared_distances(p.xt @ metric, mean @ metric))
        return predicted[0]

    return Side(run, lambda logits: logits.argmax(1))
