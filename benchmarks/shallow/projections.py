"""NumPy and SciPy sides of the methods that project both domains.

`solver` computes k of n eigenvectors: 'eigh' is LAPACK's solver for a part of the
spectrum, 'eigsh' is Lanczos iteration.
"""

import numpy as np
from scipy import linalg, optimize
from scipy.sparse import linalg as sparse
from sklearn.metrics import pairwise

from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem, Side

K = problems.DIMENSION


def leading(matrix: np.ndarray, k: int, solver: str):
    """The k largest eigenvalues, in falling order, and their eigenvectors."""
    n = len(matrix)
    if solver == 'eigh':
        value, vector = linalg.eigh(matrix, subset_by_index=[n - k, n - 1])
    else:
        value, vector = sparse.eigsh(matrix, k, v0=_start(n))
    return value[::-1], vector[:, ::-1]


def _start(n):
    return np.random.default_rng(0).normal(size=n)


def directions(x: np.ndarray, solver: str) -> np.ndarray:
    """Principal directions (d, k), by the smaller of the two matrices."""
    x = x - x.mean(0)
    if len(x) >= x.shape[1]:
        return leading(x.T @ x, K, solver)[1]
    value, vector = leading(x @ x.T, K, solver)
    return x.T @ (vector / np.sqrt(value))


def pca(p: Problem, solver: str) -> Side:
    def run():
        x = np.concatenate([p.xs, p.xt])
        w, mean = directions(x, solver), x.mean(0)
        return (p.xs - mean) @ w, (p.xt - mean) @ w

    return Side(run, problems.kernel)


def subspace_alignment(p, solver):
    def run():
        source, target = directions(p.xs, solver), directions(p.xt, solver)
        return p.xs @ (source @ (source.T @ target)), p.xt @ target

    return Side(run, problems.centred_kernel)


def _geodesic(p, solver):
    """Principal vectors of the source, their normals (d, k), angles (k,)."""
    source, target = directions(p.xs, solver), directions(p.xt, solver)
    left, cosine, right = np.linalg.svd(source.T @ target)
    angle = np.arccos(np.minimum(cosine, 1))
    a, b = source @ left, target @ right.T
    # Where the subspaces intersect, the angle is 0 and the normal does not matter.
    sine = np.maximum(np.sin(angle), 1e-12)
    return a, (b - a * np.cos(angle)) / sine, angle


def gfk(p, solver):
    def run():
        a, normal, angle = _geodesic(p, solver)
        # The integral of the flow in the plane of a_i and n_i, and its Cholesky factor
        even = np.sinc(2 * angle / np.pi)
        mixed = np.sin(angle) ** 2 / (2 * np.maximum(angle, 1e-12))
        one = np.sqrt((1 + even) / 2)
        two = mixed / one
        three = np.sqrt(np.maximum((1 - even) / 2 - two**2, 0))
        factor = np.concatenate([a * one + normal * two, normal * three], 1)
        return p.xs @ factor, p.xt @ factor

    return Side(run, problems.kernel)


def sgf(p, solver):
    def run():
        a, normal, angle = _geodesic(p, solver)
        times = np.linspace(0, 1, problems.SUBSPACES)
        bases = [a * np.cos(t * angle) + normal * np.sin(t * angle) for t in times]
        basis = np.concatenate(bases, 1)
        return p.xs @ basis, p.xt @ basis

    return Side(run, problems.kernel)


def components(kernel, u, g, solver, k=K):
    """a (n, k), the leading solutions of K H K a = phi (diag(g) + u u^T) a."""
    n = len(kernel)
    if solver == 'eigh':
        centred = kernel - kernel.mean(0)
        right = u @ u.T
        right.flat[:: n + 1] += g
        wanted = [n - k, n - 1]
        return linalg.eigh(centred.T @ centred, right, subset_by_index=wanted)[1][
            :, ::-1
        ]
    small = linalg.cho_factor(np.eye(u.shape[1]) + u.T @ (u / g[:, None]))

    def left(v):
        v = kernel @ v
        return kernel @ (v - v.mean())

    def right(v):
        return g * v + u @ (u.T @ v)

    def inverse(v):
        return (v - u @ linalg.cho_solve(small, u.T @ (v / g))) / g

    operators = [
        sparse.LinearOperator((n, n), f, dtype=float) for f in (left, right, inverse)
    ]
    return sparse.eigsh(
        operators[0], k, M=operators[1], Minv=operators[2], v0=_start(n)
    )[1][:, ::-1]


def _means(p):
    """(n, 1) vector u such that u u^T is the MMD matrix of the domains."""
    ns, nt = len(p.xs), len(p.xt)
    return np.concatenate([np.full(ns, 1 / ns), np.full(nt, -1 / nt)])[:, None]


def _halves(p, z):
    return z[: len(p.xs)], z[len(p.xs) :]


def tca(p, solver, gaussian=False):
    def run():
        x = np.concatenate([p.xs, p.xt])
        kernel = pairwise.rbf_kernel(x) if gaussian else x @ x.T
        a = components(kernel, kernel @ _means(p), np.ones(len(x)), solver)
        return _halves(p, kernel @ (a / np.linalg.norm(a, axis=0)))

    return Side(run, problems.kernel)


def tjm(p, solver):
    def run():
        kernel = pairwise.rbf_kernel(np.concatenate([p.xs, p.xt]))
        means = _means(p)
        u = kernel @ (means / np.linalg.norm(means))
        g = np.ones(len(kernel))
        for _ in range(problems.ITERATIONS):
            a = components(kernel, u, g, solver)
            z = kernel @ a
            a /= np.linalg.norm(z - z.mean(0), axis=0)
            g[: len(p.xs)] = 0.5 / np.linalg.norm(a[: len(p.xs)], axis=1)
        return _halves(p, kernel @ a)

    return Side(run, problems.kernel)


def jda(p, solver):
    def run():
        x = np.concatenate([p.xs, p.xt])
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        kernel = x @ x.T
        one_hot = np.eye(problems.CLASSES)
        source_means = one_hot[p.ys] / one_hot[p.ys].sum(0)
        means = _means(p) * np.sqrt(problems.CLASSES)
        both = means
        for _ in range(problems.ITERATIONS):
            both = both / np.sqrt(np.linalg.norm(both.T @ both))
            a = components(kernel, kernel @ both, np.ones(len(x)), solver)
            z = kernel @ (a / np.linalg.norm(a, axis=0))
            z /= np.linalg.norm(z, axis=1, keepdims=True)
            zs, zt = _halves(p, z)
            guess = one_hot[p.ys[problems.squared_distances(zt, zs).argmin(1)]]
            target_means = guess / np.maximum(guess.sum(0), 1)
            both = np.concatenate(
                [means, np.concatenate([source_means, -target_means])], 1
            )
        return zs, zt

    return Side(run, problems.kernel)


def coral(p):
    def run():
        (low, turn), (high, back) = (
            np.linalg.eigh(np.cov(x.T) + len(x) / (len(x) - 1) * np.eye(x.shape[1]))
            for x in (p.xs, p.xt)
        )
        white = p.xs @ turn / np.sqrt(low)
        return white @ ((turn.T @ back) * np.sqrt(high)) @ back.T, p.xt

    return Side(run, problems.centred_kernel)


def dip(p):
    """L-BFGS over all matrices (d, k), each replaced by an orthonormal basis."""
    sigma = 2 * problems.variance(p)

    def run():
        z = np.concatenate([p.xs, p.xt])
        z = z - z.mean(0)
        share = _means(p)[:, 0]
        shape = z.shape[1], K

        def objective(flat):
            w, triangle = np.linalg.qr(flat.reshape(shape))
            u = z @ w
            values = np.exp(problems.squared_distances(u, u) / -sigma)
            values *= share
            values *= share[:, None]
            slope = z.T @ (values.sum(1)[:, None] * u - values @ u) * (-4 / sigma)
            slope -= w @ (w.T @ slope)
            slope = linalg.solve_triangular(triangle, slope.T).T
            return values.sum(), slope.ravel()

        optimum = optimize.minimize(
            objective,
            directions(z, 'eigh').ravel(),
            jac=True,
            method='L-BFGS-B',
            options={'maxiter': problems.PROJECTION_STEPS, 'ftol': 0, 'gtol': 1e-9},
        )
        w = np.linalg.qr(optimum.x.reshape(shape))[0]
        return optimum.fun, p.xs @ w, p.xt @ w

    return Side(run, lambda result: np.array(result[0]))
