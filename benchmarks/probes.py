"""Linear probes for nine costs: this library in one call, scikit-learn in nine fits.

    python -m benchmarks.probes [--json] [--kinds svm,softmax] [--shapes 600x512x20]
        [--out FILE]

C is 1e-4, 1e-3, ..., 1e4. Features are rectified, standardised mixtures of a Gaussian
per class with falling spectrum. Ours is compiled first (that time is reported
separately) and stops at a duality gap of 1e-6 of the objective. scikit-learn runs in
float64 too, with at most 1,000 iterations per fit, in two ways: `default`, and
`matched`, with a tolerance at which its objective can be near the minimum.
(LogisticRegression stops by the largest entry of the gradient divided by n C; we choose
the tolerance for a gradient of length 0.1. At the default, its objective is up to a
hundred times the minimum for large C.) The table has the largest relative excess of
each side's objectives over the other's. Each side runs once, because a run takes
seconds to minutes. The ratio is that of processor times; under `taskset -c 0` both use
one core. Goal: at most 1 against `matched`.
"""

import functools
import time
import warnings

import jax
import numpy as np
from sklearn import linear_model, svm

from benchmarks import timing
from transfer_jax import shallow
from transfer_jax.types import Samples

SHAPES = ((600, 512, 20), (2_000, 1_024, 10))  # examples, features, classes
COSTS = tuple(10.0**k for k in range(-4, 5))
ITERATIONS = 1_000  # of scikit-learn, at most


def samples(n: int, d: int, c: int) -> Samples:
    """Standardised features of c classes."""
    rng = np.random.default_rng(0)
    label = np.arange(n, dtype=np.int32) % c
    spectrum = (1.0 + np.arange(d)) ** -0.5
    z = spectrum * rng.normal(size=(n, d))
    z += (spectrum**1.5 * rng.normal(size=(c, d)))[label]
    x = np.maximum(z @ rng.normal(size=(d, d)), 0)
    return Samples((x - x.mean(0)) / x.std(0), label, np.ones(n))


def objective(kind, weight, bias, cost, data) -> float:
    """The objective that both minimise; weight (d, c), bias (c,)."""
    scores = data.x @ weight + bias
    one_hot = np.eye(scores.shape[1])[data.label]
    if kind == 'svm':
        loss = np.sum(np.maximum(1 - (2 * one_hot - 1) * scores, 0) ** 2)
        return 0.5 * np.sum(weight**2) + 0.5 * np.sum(bias**2) + cost * loss
    top = scores.max(1)
    partition = np.log(np.exp(scores - top[:, None]).sum(1)) + top
    loss = np.sum(partition - np.sum(one_hot * scores, 1))
    return 0.5 * np.sum(weight**2) + cost * loss


def theirs(kind, data, *, matched) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) of scikit-learn for each cost."""
    fits = []
    for cost in COSTS:
        if kind == 'svm':
            tol = 1e-6 if matched else 1e-4
            model = svm.LinearSVC(C=cost, max_iter=ITERATIONS, tol=tol)
        else:
            entries = data.x.shape[1] * (data.label.max() + 1)
            close = 0.1 / (len(data.x) * cost * np.sqrt(entries))
            tol = min(1e-4, close) if matched else 1e-4
            model = linear_model.LogisticRegression(
                C=cost, max_iter=ITERATIONS, tol=tol
            )
        with warnings.catch_warnings():
            # Of missing convergence: the excess of the objective measures it.
            warnings.simplefilter('ignore')
            model.fit(data.x, data.label)
        fits.append((model.coef_.T, model.intercept_))
    return fits


def timed(call):
    """(result, seconds of processor time, seconds of wall time)."""
    clock, used = time.perf_counter(), time.process_time()
    result = call()
    return result, time.process_time() - used, time.perf_counter() - clock


def compare(kind: str, shape: tuple[int, int, int]) -> dict[str, float]:
    """Seconds of all sides, and each side's excess over the other's objective."""
    data = samples(*shape)
    fit = shallow.linear_path(kind, shape[2], COSTS)
    none = data._replace(mask=np.zeros(shape[0]))
    _, row_compile, _ = timed(lambda: jax.block_until_ready(fit(none)))
    ours, cpu, clock = timed(lambda: jax.block_until_ready(fit(data)))
    row = {'compile': row_compile, 'ours': cpu, 'ours_clock': clock}
    row['converged'] = int(np.sum(ours.converged))
    mine = np.array(_objectives(kind, zip(ours.weight, ours.bias, strict=True), data))
    for name, matched in (('default', False), ('matched', True)):
        fitted = functools.partial(theirs, kind, data, matched=matched)
        fits, row[name], row[f'{name}_clock'] = timed(fitted)
        excess = np.array(_objectives(kind, fits, data)) / mine - 1
        row[f'{name}_ratio'] = cpu / row[name]
        row[f'{name}_excess'] = float(excess.max())
        row[f'ours_excess_over_{name}'] = float(-excess.min())
    return row


def _objectives(kind, fits, data):
    pairs = zip(fits, COSTS, strict=True)
    return [
        objective(kind, np.asarray(w), np.asarray(b), cost, data)
        for (w, b), cost in pairs
    ]


def add_flags(parser) -> None:
    parser.add_argument('--kinds', default='svm,softmax')
    parser.add_argument('--shapes', default='', help='NxDxC, separated by commas')


def measure(flags, result) -> list[str]:
    """Compare all kinds and shapes."""
    shapes = [
        tuple(map(int, shape.split('x'))) for shape in flags.shapes.split(',') if shape
    ]
    result['seconds'], lines = {}, []
    for shape in shapes or SHAPES:
        for kind in flags.kinds.split(','):
            name = f'{kind} {"x".join(map(str, shape))}'
            row = result['seconds'][name] = compare(kind, shape)
            lines.append(
                f'{name}: ours {row["ours"]:.2f} s (and {row["compile"]:.1f} s to '
                f'compile), {row["converged"]} of {len(COSTS)} converged'
            )
            lines += [
                f'  scikit-learn, {other}: {row[other]:.2f} s, ratio '
                f'{row[f"{other}_ratio"]:.2f}; its objective is above ours by up to '
                f'{row[f"{other}_excess"]:.1e}, ours above its by up to '
                f'{row[f"ours_excess_over_{other}"]:.1e}'
                for other in ('default', 'matched')
            ]
    return lines


if __name__ == '__main__':
    timing.run('Time linear probes.', measure, add_flags)
