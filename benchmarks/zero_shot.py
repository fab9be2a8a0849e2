"""ESZSL for a grid of constants: this library's path against NumPy, pair by pair.

    python -m benchmarks.zero_shot [--json] [--rounds 3] [--out FILE]

The task has the shape of CUB's: 4,500 examples of 150 seen classes with 1,000 features
and 312 attributes, 36 pairs (gamma, lambda), and the scores of 1,500 examples of 50
unseen classes for each pair, as a choice on validation classes needs them. `numpy` is
the formula, pair by pair, with a linear solve for each inverse. `numpy, products once`
is the same with X^T X, X^T Y S and S^T S outside the loop. All are in float64 and
agree. Ours is compiled first. Goal: a pair takes at most 1/5 of `numpy`.
"""

import itertools

import jax
import numpy as np

from benchmarks import timing
from transfer_jax import zero_shot

EXAMPLES, TEST, FEATURES, ATTRIBUTES, SEEN, UNSEEN = 4_500, 1_500, 1_000, 312, 150, 50
VALUES = tuple(10.0**k for k in (-2, -1.5, -1, -0.5, 0, 0.5))
PAIRS = tuple(itertools.product(VALUES, VALUES))
GOAL = 1 / 5


def task() -> dict[str, np.ndarray]:
    """Generated features and attributes, rows of length 1."""
    rng = np.random.default_rng(0)
    spectrum = (1.0 + np.arange(FEATURES)) ** -0.5
    vectors = unit(rng.random((SEEN + UNSEEN, ATTRIBUTES)))
    mixing = rng.normal(size=(ATTRIBUTES, FEATURES))

    def examples(label):
        noise = rng.normal(size=(len(label), FEATURES))
        return unit((vectors[label] @ mixing + noise) * spectrum)

    label = np.arange(EXAMPLES) % SEEN
    return {
        'x': examples(label),
        'label': label,
        'seen': vectors[:SEEN],
        'test_x': examples(SEEN + np.arange(TEST) % UNSEEN),
        'unseen': vectors[SEEN:],
    }


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def numpy_path(data, *, once: bool) -> np.ndarray:
    """Scores (pairs, m, c), by a linear solve on both sides for each pair."""
    x, s = data['x'], data['seen']
    targets = np.eye(SEEN)[data['label']]

    def products():
        return x.T @ x, x.T @ targets @ s, s.T @ s

    scores, kept = [], products()
    for gamma, lam in PAIRS:
        left, both, right = kept if once else products()
        v = np.linalg.solve(left + gamma * np.eye(FEATURES), both)
        v = np.linalg.solve(right + lam * np.eye(ATTRIBUTES), v.T).T
        scores.append(data['test_x'] @ v @ data['unseen'].T)
    return np.stack(scores)


def our_path(data) -> timing.Call:
    """A function that returns the same by `eszsl_path`."""
    path = zero_shot.pipeline(zero_shot.eszsl_path(*zip(*PAIRS, strict=True)))

    def run():
        key = jax.random.key(0)
        fitted = path.fit(key, data['x'], data['label'], data['seen'])
        return path.scores(fitted, data['test_x'], data['unseen'])

    return run


def add_flags(parser) -> None:
    parser.add_argument('--rounds', type=int, default=3)


def measure(flags, result) -> list[str]:
    """Race of all sides."""
    data = task()
    ours = our_path(data)
    np.testing.assert_allclose(ours(), numpy_path(data, once=True), atol=1e-7)
    row = timing.paired(
        {
            'ours': ours,
            'numpy': lambda: numpy_path(data, once=False),
            'numpy, products once': lambda: numpy_path(data, once=True),
        },
        rounds=flags.rounds,
        repeats=1,
    )
    result['milliseconds'] = row
    result['pairs'] = len(PAIRS)
    lines = [timing.table(row)]
    for name in ('numpy', 'numpy, products once'):
        ratios = {k: row['ours'][k] / row[name][k] for k in ('min', 'median', 'cpu')}
        result[f'ratio to {name}'] = ratios
        text = ', '.join(f'{ratio:.3f} ({kind})' for kind, ratio in ratios.items())
        lines.append(f'ratio ours / {name}: {text}')
    met = result['ratio to numpy']['min'] <= GOAL
    lines.append(f'goal of {GOAL:.2f} against numpy: {"met" if met else "not met"}')
    return lines


if __name__ == '__main__':
    timing.run('Time the grid of ESZSL.', measure, add_flags)
