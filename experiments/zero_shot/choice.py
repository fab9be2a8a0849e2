"""Constants and calibration of a zero-shot method, chosen inside the seen classes.

Each draw takes some seen classes as validation classes: a method is fitted on the
others, without a quarter of their images, and scored on that quarter and on the images
of the validation classes. Nothing here can read an unseen class: the functions take
data.zero_shot.Training and the vectors of its classes.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from transfer_jax import metrics, zero_shot
from transfer_jax.data.zero_shot import Draw, Training, draw_validation

GAMMAS = np.arange(0, 4.01, 0.05)  # calibration, in standard deviations of the scores
ROUNDS = 4  # of widening, at most
EVERY = 5  # the deviation of the scores is that of every fifth training image
PREPARATIONS = ('unit', 'centred', 'root')


class Recipe(NamedTuple):
    """A method as its constants make it, and the values to choose from.

    Attributes:
      make: a method as a function of its constants.
      grid: {constant: values, ascending}; at an edge the grid is widened by its ratio.
      options: further arguments, the same for all, or several sets to choose from.
      limits: {constant: (least, greatest)}, where it cannot be widened beyond.
      drawn: whether its fit draws random numbers.
      path: (**constants as lists) -> all of them at once; by default zero_shot.path.
    """

    make: Callable[..., zero_shot.ZeroShot]
    grid: Mapping[str, tuple[float, ...]]
    options: tuple[Mapping[str, Any], ...] = ({},)
    limits: Mapping[str, tuple[float, float]] = {}
    drawn: bool = False
    path: Callable[..., zero_shot.ZeroShot] | None = None


class Setting(NamedTuple):
    """What was chosen."""

    preparation: str  # of the class vectors
    options: Mapping[str, Any]
    constants: Mapping[str, float]

    def words(self) -> str:
        """In words, such as 'gamma 0.3, lam 1, root'."""
        numbers = [f'{k} {v:.3g}' for k, v in self.constants.items()]
        others = [f'{k} {v}' for k, v in self.options.items()]
        return ', '.join([*numbers, *others, self.preparation])


class Score(NamedTuple):
    """A setting on the validation classes: means over the draws."""

    setting: Setting
    zsl: float  # accuracy among the validation classes alone
    harmonic: np.ndarray  # (gammas,) H by calibration


class Choice(NamedTuple):
    """The best settings of a method, of all scores."""

    zsl: Score  # by the accuracy among validation classes
    harmonic: Score  # by H with the best calibration
    gamma: float  # that calibration, in standard deviations
    edges: tuple[str, ...]  # constants that are at an edge of their grid
    scores: tuple[Score, ...]


def prepare(kind: str, seen: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Class vectors (c, a) as a method reads them, each of length 1.

    'unit' only divides by the length. 'centred' subtracts the mean of the seen classes
    first; 'root' takes square roots (with the sign) before that.

    Args:
      seen: (k, a), the vectors whose mean is subtracted.
    """
    if kind == 'root':
        seen, vectors = (np.sign(v) * np.sqrt(np.abs(v)) for v in (seen, vectors))
    if kind != 'unit':
        vectors = vectors - seen.mean(0)
    return np.asarray(zero_shot.unit_rows(vectors))


def choose(
    recipe: Recipe,
    training: Training,
    vectors: np.ndarray,
    draws: Sequence[Draw],
    preparations: Sequence[str] = PREPARATIONS[:1],
) -> Choice:
    """The best constants by validation classes; vectors (k, a) are of seen classes."""
    scores: dict[Any, Score] = {}
    fixed = list(itertools.product(preparations, recipe.options))
    grid = {name: list(values) for name, values in recipe.grid.items()}
    for _ in range(ROUNDS + 1):
        points = _points(grid)
        for preparation, options in fixed:
            new = [p for p in points if _key(preparation, options, p) not in scores]
            # Descents share nothing, and one alone stays in the cache of a core.
            step = 1 if recipe.drawn else max(1, len(new))
            for first in range(0, len(new), step):
                some = new[first : first + step]
                found = _scored(
                    recipe, training, vectors, draws, preparation, options, some
                )
                for score in found:
                    at = _key(preparation, options, score.setting.constants)
                    scores[at] = score
        best = max(scores.values(), key=lambda s: s.zsl)
        best_h = max(scores.values(), key=lambda s: s.harmonic.max())
        chosen = [best.setting.constants, best_h.setting.constants]
        if not _widen(grid, chosen, recipe.limits):
            break
    gamma = GAMMAS[best_h.harmonic.argmax()]
    edges = sorted({e for c in chosen for e, _ in _edges(grid, c, recipe.limits)})
    return Choice(best, best_h, float(gamma), tuple(edges), tuple(scores.values()))


def fit(
    recipe: Recipe, setting: Setting, key, training: Training, vectors: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The scores (m, c) of the fitted method: a function of x (m, d), vectors (c, a).

    Features and vectors are prepared inside.
    """
    constants = {k: [v] for k, v in setting.constants.items()}
    method = _method(recipe, setting.options, constants)
    ready = functools.partial(prepare, setting.preparation, vectors)
    x = np.asarray(zero_shot.unit_rows(np.asarray(training.x, np.float64)))
    fitted = method.fit(key, x, training.label, ready(vectors))

    def scores(x, vectors):
        x = np.asarray(zero_shot.unit_rows(np.asarray(x, np.float64)))
        return np.asarray(method.scores(fitted, x, ready(vectors)))[0]

    return scores


def deviation(scores: Callable, training: Training, vectors: np.ndarray) -> float:
    """The unit of gamma: the deviation of the scores of training images."""
    return metrics.score_deviation(scores(training.x[::EVERY], vectors))


def draws_of(training: Training, classes: int, count: int) -> tuple[Draw, ...]:
    """`count` draws of so many validation classes."""
    return tuple(draw_validation(training, classes, seed) for seed in range(count))


def _method(recipe, options, constants):
    if recipe.path is not None:
        return recipe.path(**constants, **options)
    return zero_shot.path(recipe.make, constants, **options)


def _scored(recipe, training, vectors, draws, preparation, options, points):
    """The scores of all points of the grid, fitted side by side."""
    constants = {k: [p[k] for p in points] for k in recipe.grid}
    method = _method(recipe, options, constants)
    zsl, harmonic = [], []
    for draw in draws:
        ready = prepare(preparation, vectors[draw.seen], vectors)
        x = np.asarray(zero_shot.unit_rows(np.asarray(training.x, np.float64)))
        label = np.searchsorted(draw.seen, training.label[draw.train])
        fitted = method.fit(jax.random.key(0), x[draw.train], label, ready[draw.seen])
        some = draw.train[::EVERY]
        rows = np.concatenate([draw.test_seen, draw.test_unseen])
        order = np.concatenate([draw.seen, draw.unseen])
        spread = method.scores(fitted, x[some], ready[draw.seen])
        whole = method.scores(fitted, x[rows], ready[order])
        label = np.argsort(order)[training.label[rows]]
        units = [metrics.score_deviation(s) for s in spread]
        both = [
            _measured(s, u, label, len(draw.seen))
            for s, u in zip(whole, units, strict=True)
        ]
        zsl.append([one for one, _ in both])
        harmonic.append([other for _, other in both])
    settings = (Setting(preparation, dict(options), point) for point in points)
    averages = zip(np.mean(zsl, 0), np.mean(harmonic, 0), strict=True)
    return [
        Score(setting, float(z), h)
        for setting, (z, h) in zip(settings, averages, strict=True)
    ]


def _measured(scores, unit, label, k):
    """(accuracy among the last classes alone, H (gammas,)) of scores (m, c)."""
    unseen = np.arange(k, scores.shape[1])
    rows = label >= k
    predicted = k + scores[rows, k:].argmax(1)
    accuracy = metrics.mean_class_accuracy(predicted, label[rows], unseen)
    curve = metrics.seen_unseen_curve(scores, label, np.arange(scores.shape[1]) < k)
    # The point of the curve at each gamma: those of the curve lie between jumps
    jumps = (curve.gamma[1:] + curve.gamma[:-1]) / 2
    at = np.searchsorted(jumps, GAMMAS * unit)
    return accuracy, curve.harmonic[at]


def _points(grid):
    return [
        dict(zip(grid, values, strict=True))
        for values in itertools.product(*grid.values())
    ]


def _key(preparation, options, constants):
    return preparation, tuple(options.items()), tuple(constants.items())


def _edges(grid, constants, limits):
    """(constant, whether at its upper end) where the grid could go on."""
    for name, value in constants.items():
        values = grid[name]
        low, high = limits.get(name, (0, np.inf))
        if len(values) > 1 and value == values[0] and value > low:
            yield name, False
        elif len(values) > 1 and value == values[-1] and value < high:
            yield name, True


def _widen(grid, chosen, limits) -> bool:
    """Adds a value beyond each edge that was chosen; False where none was."""
    found = {edge for constants in chosen for edge in _edges(grid, constants, limits)}
    for name, upper in found:
        values = grid[name]
        low, high = limits.get(name, (0, np.inf))
        if upper:
            values.append(min(values[-1] * values[-1] / values[-2], high))
        else:
            values.insert(0, max(values[0] * values[0] / values[1], low))
    return bool(found)
