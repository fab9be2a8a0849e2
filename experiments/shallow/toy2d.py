"""Shallow adaptation in the plane, drawn: before, in the aligned space, after.

A figure has two domains in two dimensions, blue and red, and up to three panels: the
regions of a classifier trained on the source, with its accuracy on the target; the
space that a shallow method makes, with the classifier trained there; the predictions of
that classifier in the plane of the target.

    python -m experiments.shallow.toy2d
    python -m experiments.shallow.toy2d --config.problem rotation \
        --config.method subspace_alignment

A run of all methods also draws one sheet for each problem, with the predictions of the
methods in SHEET; docs/toy2d.png is the sheet of the moons, in 64 colours.

No number is published for these domains: the figures are to look at. Problems
(transfer_jax/data/toy.py): rotation, two Gaussian blobs rotated by 70 degrees;
covariate_shift, a curved boundary of which the domains see different parts; moons, two
half circles rotated by 40 degrees.

The classifier is softmax regression for rotation and covariate_shift, and an SVM with a
Gaussian kernel for moons; methods that are classifiers use none. Three target examples
of each class are set apart. Semi-supervised methods see them with their labels, the
other methods do not see them, and no method is scored on them. Hyper-parameters are
those of toy_methods.py for all problems; no target label was used to choose them.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.shallow import planes
from experiments.shallow.toy_methods import CLASSES, METHODS
from experiments.tasks import choices
from transfer_jax import cli, shallow
from transfer_jax.data import features, toy
from transfer_jax.runs import Study
from transfer_jax.types import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELLED = 3  # target examples of each class
ALL = 'all'
SHEET = (
    'none',
    'subspace_alignment',
    'coral',
    'gfk',
    'tca',
    'jda',
    'kmm',
    'entropic_transport',
    'group_lasso_transport',
    'label_propagation',
    'dscm',
    'adaptive_svm',
)


class Problem(NamedTuple):
    """Domains in the plane, and the classifier that fits their shape."""

    draw: Callable[[int, int], toy.Pair]  # (seed, examples of a domain)
    classify: Callable[[], shallow.Classifier]


PROBLEMS = {
    'rotation': Problem(
        toy.rotation, lambda: shallow.softmax_regression(CLASSES, 100.0)
    ),
    'covariate_shift': Problem(
        toy.covariate_shift, lambda: shallow.softmax_regression(CLASSES, 100.0)
    ),
    'moons': Problem(toy.moons, lambda: shallow.kernel_svm(CLASSES, cost=10.0)),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Shallow adaptation in the plane."""

    problem: str = ALL
    """rotation, covariate_shift, moons, or all."""
    method: str = ALL
    """One of toy_methods.py, or all."""
    n: int = 150
    """Examples in a domain."""
    seeds: int = 5
    """Draws of the domains; figures are of the first."""


class Fittable(NamedTuple):
    """A method, the classifier after it, and the pipeline of both."""

    align: shallow.Shallow
    classify: shallow.Classifier | None  # None: the method is a classifier
    pipeline: shallow.Pipeline


class Solved(NamedTuple):
    """A method on a problem: accuracies on the target, and the content of figures."""

    before: float
    after: float
    panels: tuple[planes.Plane, ...]
    labels: planes.Labels


def build(config: Config) -> Study:
    """The study of a config."""
    problems = _chosen('problem', config.problem, PROBLEMS)
    methods = _chosen('method', config.method, METHODS)
    return Study(
        name='shallow.toy2d',
        config=config,
        task=f'{config.problem}, {config.method}',
        trials=tuple(
            {'problem': problem, 'method': method, 'seed': seed}
            for problem in problems
            for method in methods
            for seed in range(config.seeds)
        ),
        # The trials and the figures read a cached function.
        prepare=lambda data_dir: functools.cache(functools.partial(solve, n=config.n)),
        measure=measure,
        across='problem',
        values=('before', 'after'),
        pictures=functools.partial(pictures, problems, methods),
        fast=config == fast(),
    )


def measure(
    solved: Callable[..., Solved], trial: Mapping[str, Any]
) -> dict[str, float]:
    """Accuracies on the target before and after adaptation."""
    solution = solved(*trial.values())
    return {'before': solution.before, 'after': solution.after}


def pictures(problems, methods, solved) -> dict[str, 'Figure']:
    """A figure for each method on each problem, of the first draw."""
    drawn = {}
    for problem in problems:
        if set(SHEET) <= set(methods):
            drawn[f'{problem}_sheet'] = sheet(problem, solved)
        for method in methods:
            solution = solved(problem, method, 0)
            title = f'{problem}: {method}'.replace('_', ' ')
            name = f'{problem}_{method}'
            drawn[name] = planes.draw(solution.panels, solution.labels, title)
    return drawn


def sheet(problem: str, solved: Callable[..., Solved]) -> 'Figure':
    """The predictions of the methods of SHEET in the plane of the target."""
    tiles = []
    for method in SHEET:
        solution = solved(problem, method, 0)
        title = f'{method.replace("_", " ")}: {100 * solution.after:.0f} %'
        tiles.append((solution.panels[-1]._replace(title=title), solution.labels))
    return planes.sheet(tiles)


def solve(problem: str, method: str, seed: int, *, n: int) -> Solved:
    """Fits the source's classifier and the method on a draw of the problem."""
    source, target, labelled = _domains(problem, seed, n)
    fittable, fitted = _fittable(problem, method), _fit(problem, method, seed, n)
    seen = labelled if fittable.align.semi_supervised else labelled.take(np.arange(0))
    x = np.concatenate([seen.x, target.x])
    label = np.concatenate([seen.label, target.label])
    unadapted = functools.partial(
        _predict, _fittable(problem, 'none').pipeline, _fit(problem, 'none', seed, n)
    )
    adapted = functools.partial(_predict, fittable.pipeline, fitted)
    # The examples that a method saw with labels count neither as correct nor as wrong.
    before, after = (
        (predict(x) != label) & (np.arange(len(x)) >= len(seen))
        for predict in (unadapted, adapted)
    )
    accuracies = [1 - wrong[len(seen) :].mean() for wrong in (before, after)]
    title = f'Source classifier: {100 * accuracies[0]:.0f} % of the target correct'
    panels = [planes.Plane(title, source.x, x, unadapted)]
    space = _space(fittable, fitted, source.x, x)
    title = f'After adaptation: {100 * accuracies[1]:.0f} % correct'
    if space:
        panels.append(space._replace(title=title))
        title = 'The same in the plane of the target'
    if method != 'none':
        weights = _weights(fittable, fitted)
        panels.append(planes.Plane(title, source.x, x, adapted, weights))
        # A source that was mapped elsewhere is not drawn in the plane of the target.
        panels[-1] = panels[-1]._replace(with_source=space is None)
    wrong = [before, *[after] * (len(panels) - 1)]
    labels = planes.Labels(source.label, label, wrong, len(seen))
    return Solved(*accuracies, tuple(panels), labels)


def _space(fittable, fitted, source, target) -> planes.Plane | None:
    """The space of the adapted examples; None if it is the plane or not drawable."""
    with jax.enable_x64(True):
        maps = fittable.align.source, fittable.align.target
        mapped = [
            np.asarray(f(fitted.alignment, jnp.asarray(x, jnp.float64)))
            for f, x in zip(maps, (source, target), strict=True)
        ]
    if fittable.classify is None or mapped[0].shape[1] > 2:
        return None
    unchanged = (
        after.shape == before.shape and np.allclose(after, before, atol=1e-6)
        for after, before in zip(mapped, (source, target), strict=True)
    )
    if all(unchanged):
        return None

    def predict(grid):
        with jax.enable_x64(True):
            logits = fittable.classify.logits(fitted.classifier, jnp.asarray(grid))
            return np.asarray(logits).argmax(1)

    return planes.Plane('', *mapped, predict, _weights(fittable, fitted), equal=False)


def _weights(fittable, fitted) -> np.ndarray | None:
    """Weights of the source examples, for methods that weight them."""
    if not fittable.align.weights:
        return None
    with jax.enable_x64(True):
        return np.asarray(fittable.align.weights(fitted.alignment))


@functools.cache
def _domains(problem: str, seed: int, n: int):
    """(source, target without its labelled examples, labelled target examples)."""
    source, target = PROBLEMS[problem].draw(seed, n + CLASSES * LABELLED)
    rows = features.draw_per_class(target.label, LABELLED, seed)
    rest = np.setdiff1d(np.arange(len(target)), rows)
    return source, target.take(rest), target.take(rows)


@functools.cache
def _fittable(problem: str, method: str) -> Fittable:
    """Cached: one for all draws, which compiles once."""
    align, classify = METHODS[method](), PROBLEMS[problem].classify()
    if align.predict:
        classify = None
    return Fittable(align, classify, shallow.pipeline(align, classify))


@functools.cache
def _fit(problem: str, method: str, seed: int, n: int) -> shallow.Fitted:
    source, target, labelled = _domains(problem, seed, n)
    fittable = _fittable(problem, method)
    parts = [_samples(source.x, source.label), _samples(target.x, -1)]
    if fittable.align.semi_supervised:
        parts.append(_samples(labelled.x, labelled.label))
    return fittable.pipeline.fit(jax.random.key(seed), *parts)


def _predict(pipeline: shallow.Pipeline, fitted: shallow.Fitted, x) -> np.ndarray:
    return np.asarray(pipeline.predict(fitted, {'x': x})['logits']).argmax(1)


def _samples(x, label) -> Samples:
    return Samples(x, np.broadcast_to(label, len(x)), np.ones(len(x)))


def _chosen(field: str, value: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    if value == ALL:
        return tuple(table)
    return (choices.check(field, value, (*table, ALL)),)


def sweep() -> Iterator[Config]:
    """All methods on all problems."""
    yield Config()


def fast() -> Config:
    """A run of seconds."""
    return Config('rotation', 'subspace_alignment', n=30, seeds=1)


if __name__ == '__main__':
    cli.main(Config, build)
