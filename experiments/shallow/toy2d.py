"""Classical adaptation in the plane: the classifier that fails, the aligned space.

Two domains, blue and red, in two dimensions; a classifier trained on the source, its
regions and its accuracy on the target; the space that a closed-form method makes, with
the classifier trained there; what that one answers in the target's own plane.

    python -m experiments.shallow.toy2d
    python -m experiments.shallow.toy2d --config.problem rotation \
        --config.method subspace_alignment

A run of all methods also draws what SHEET's answer on one sheet for each problem;
docs/toy2d.png is that of the moons, in 64 colours.

No number is published for these domains: the page is to look at. Problems
(transfer_jax/data/toy.py): rotation, two Gaussian blobs turned by 70 degrees;
covariate_shift, a curved boundary of which the domains see different parts; moons, two
half circles turned by 40 degrees.

The classifier is softmax regression for rotation and covariate_shift and an SVM with a
Gaussian kernel for moons; methods that classify by themselves have their own. Three
target examples of each class are set apart. Semi-supervised methods see their labels;
to the others they are not there, and nobody is scored on them. Hyper-parameters are
those of toy_methods.py for all problems; no target label chose one.
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
    """Classical adaptation, drawn."""

    problem: str = ALL
    """rotation, covariate_shift, moons, or all."""
    method: str = ALL
    """One of toy_methods.py, or all."""
    n: int = 150
    """Examples of a domain."""
    seeds: int = 5
    """Draws of the domains; the first is drawn."""


class Made(NamedTuple):
    """A method, the classifier that it needs, and both together."""

    align: shallow.Shallow
    classify: shallow.Classifier | None
    whole: shallow.Pipeline


class Solved(NamedTuple):
    """A method on a problem: accuracies on the target, and what to draw."""

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
        cells=tuple(
            {'problem': problem, 'method': method, 'seed': seed}
            for problem in problems
            for method in methods
            for seed in range(config.seeds)
        ),
        # What the cells read is a function that remembers what it has solved.
        prepare=lambda data_dir: functools.cache(functools.partial(solve, n=config.n)),
        measure=measure,
        across='problem',
        values=('before', 'after'),
        pictures=functools.partial(pictures, problems, methods),
        fast=config == fast(),
    )


def measure(solved: Callable[..., Solved], cell: Mapping[str, Any]) -> dict[str, float]:
    """Accuracies on the target, of the source's classifier and after adaptation."""
    found = solved(*cell.values())
    return {'before': found.before, 'after': found.after}


def pictures(problems, methods, solved) -> dict[str, 'Figure']:
    """A figure for each method on each problem, of the first draw."""
    drawn = {}
    for problem in problems:
        if set(SHEET) <= set(methods):
            drawn[f'{problem}_sheet'] = sheet(problem, solved)
        for method in methods:
            found = solved(problem, method, 0)
            title = f'{problem}: {method}'.replace('_', ' ')
            name = f'{problem}_{method}'
            drawn[name] = planes.draw(found.panels, found.labels, title)
    return drawn


def sheet(problem: str, solved: Callable[..., Solved]) -> 'Figure':
    """What the methods of SHEET answer in the plane of the target."""
    tiles = []
    for method in SHEET:
        found = solved(problem, method, 0)
        title = f'{method.replace("_", " ")}: {100 * found.after:.0f} %'
        tiles.append((found.panels[-1]._replace(title=title), found.labels))
    return planes.sheet(tiles)


def solve(problem: str, method: str, seed: int, *, n: int) -> Solved:
    """Fits the source's classifier and the method on a draw of the problem."""
    source, target, labelled = _domains(problem, seed, n)
    made, fitted = _pipeline(problem, method), _fit(problem, method, seed, n)
    own = labelled.x if made.align.semi_supervised else labelled.x[:0]
    x = np.concatenate([own, target.x])
    label = np.concatenate([labelled.label[: len(own)], target.label])
    plain = functools.partial(
        _answer, _pipeline(problem, 'none').whole, _fit(problem, 'none', seed, n)
    )
    adapted = functools.partial(_answer, made.whole, fitted)
    # The examples whose labels a method saw count neither as right nor as wrong.
    before, after = (
        (answer(x) != label) & (np.arange(len(x)) >= len(own))
        for answer in (plain, adapted)
    )
    right = [1 - wrong[len(own) :].mean() for wrong in (before, after)]
    title = f'Classifier of the source: {100 * right[0]:.0f} % of the target right'
    panels = [planes.Plane(title, source.x, x, plain)]
    space = _space(made, fitted, source.x, x)
    title = f'After adaptation: {100 * right[1]:.0f} % right'
    if space:
        panels.append(space._replace(title=title))
        title = 'The same in the plane of the target'
    if method != 'none':
        weights = _weights(made, fitted)
        panels.append(planes.Plane(title, source.x, x, adapted, weights))
        # Where the source has moved, it has no place in the target's plane.
        panels[-1] = panels[-1]._replace(with_source=space is None)
    wrong = [before, *[after] * (len(panels) - 1)]
    labels = planes.Labels(source.label, label, wrong, len(own))
    return Solved(*right, tuple(panels), labels)


def _space(made, fitted, source, target) -> planes.Plane | None:
    """The space of the adapted examples, where that is another and can be drawn."""
    with jax.enable_x64(True):
        wide = jnp.asarray(source, jnp.float64), jnp.asarray(target, jnp.float64)
        maps = made.align.source, made.align.target
        after = [
            np.asarray(f(fitted.alignment, x)) for f, x in zip(maps, wide, strict=True)
        ]
    if made.classify is None or after[0].shape[1] > 2:
        return None
    same = (
        one.shape == other.shape and np.allclose(one, other, atol=1e-6)
        for one, other in zip(after, (source, target), strict=True)
    )
    if all(same):
        return None

    def answer(grid):
        with jax.enable_x64(True):
            logits = made.classify.logits(fitted.classifier, jnp.asarray(grid))
            return np.asarray(logits).argmax(1)

    return planes.Plane('', *after, answer, _weights(made, fitted), equal=False)


def _weights(made, fitted) -> np.ndarray | None:
    if not made.align.weights:
        return None
    with jax.enable_x64(True):
        return np.asarray(made.align.weights(fitted.alignment))


@functools.cache
def _domains(problem: str, seed: int, n: int):
    """(source, target without its labelled examples, those)."""
    source, target = PROBLEMS[problem].draw(seed, n + CLASSES * LABELLED)
    rows = features.draw_per_class(target.label, LABELLED, seed)
    rest = np.setdiff1d(np.arange(len(target)), rows)
    return source, target.take(rest), target.take(rows)


@functools.cache
def _pipeline(problem: str, method: str) -> Made:
    """One for all draws, so that it compiles once."""
    align, classify = METHODS[method](), PROBLEMS[problem].classify()
    if align.predict:
        classify = None
    return Made(align, classify, shallow.pipeline(align, classify))


@functools.cache
def _fit(problem: str, method: str, seed: int, n: int) -> shallow.Fitted:
    source, target, labelled = _domains(problem, seed, n)
    made = _pipeline(problem, method)
    parts = [_samples(source.x, source.label), _samples(target.x, -1)]
    if made.align.semi_supervised:
        parts.append(_samples(labelled.x, labelled.label))
    return made.whole.fit(jax.random.key(seed), *parts)


def _answer(made: shallow.Pipeline, fitted: shallow.Fitted, x) -> np.ndarray:
    return np.asarray(made.predict(fitted, {'x': x})['logits']).argmax(1)


def _samples(x, label) -> Samples:
    return Samples(x, np.broadcast_to(label, len(x)), np.ones(len(x)))


def _chosen(field: str, value: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    if value == ALL:
        return tuple(table)
    if value not in table:
        raise ValueError(f'no {field} {value!r}; choose from {", ".join(table)}, {ALL}')
    return (value,)


def sweep() -> Iterator[Config]:
    """All methods on all problems."""
    yield Config()


def fast() -> Config:
    """A run of seconds."""
    return Config('rotation', 'subspace_alignment', n=30, seeds=1)


if __name__ == '__main__':
    cli.main(Config, build)
