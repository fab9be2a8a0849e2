"""The cost of a linear probe, chosen by cross-validation on its training examples."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.shallow import linear
from transfer_jax.types import Array, Key, Samples

ROUGH = 1e-3  # tolerance for the folds, enough to compare accuracies


class Choice(NamedTuple):
    """The result of a cross-validation."""

    cost: Array  # (), the first cost with the highest accuracy
    accuracy: Array  # (costs,), over all held-out folds


def stratified_folds(key: Key, samples: Samples, count: int) -> Array:
    """(n,) the fold of each labelled example, 0 to count - 1; -1 for all others.

    The sizes of folds, and their numbers of examples per class, differ by at most one.

    Raises:
      ValueError: fewer than two folds, or more folds than examples.
    """
    n = samples.label.shape[0]
    if not 2 <= count <= n:
        raise ValueError(f'{count} folds of {n} examples: need 2 to {n}')
    counts = (samples.mask > 0) & (samples.label >= 0)
    # Sort by class, randomly within a class, and deal out in turn.
    last = jnp.iinfo(jnp.int32).max
    label = jnp.where(counts, samples.label, last).astype(jnp.int32)
    order = jnp.lexsort((jax.random.uniform(key, (n,), jnp.float32), label))
    fold = jnp.zeros(n, jnp.int32).at[order].set(jnp.arange(n, dtype=jnp.int32) % count)
    return jnp.where(counts, fold, -1)


def choose_cost(
    key: Key,
    samples: Samples,
    *,
    kind: str,
    classes: int,
    costs: Sequence[float],
    folds: int = 5,
) -> Choice:
    """The cost with the highest accuracy on held-out folds.

    Each fold is held out once, and a path over `costs` (ascending) is fitted on the
    others. Only the examples in `samples` are used.

    Args:
      kind: 'svm' or 'softmax'.

    Raises:
      ValueError: as for `stratified_folds` and `linear_path`.
    """
    linear.linear_path(kind, classes, costs)  # raises for invalid arguments
    with jax.enable_x64(True):
        costs = jnp.asarray(costs, jnp.float64)
        return _cross(kind, classes, folds, costs, key, samples)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _cross(kind, classes, folds, costs, key, samples):
    fold = stratified_folds(key, samples, folds)
    fit = linear.linear_path(kind, classes, costs, tolerance=ROUGH)

    def held_out(index):
        in_fold = fold == index
        fitted = fit(samples._replace(mask=jnp.where(in_fold, 0, samples.mask)))
        predicted = jnp.argmax(linear.linear_scores(fitted, samples.x), -1)
        return jnp.sum((predicted == samples.label) & in_fold, -1)

    correct = jnp.sum(jax.lax.map(held_out, jnp.arange(folds)), 0)
    accuracy = correct / jnp.sum(fold >= 0)
    return Choice(costs[jnp.argmax(accuracy)], accuracy)
