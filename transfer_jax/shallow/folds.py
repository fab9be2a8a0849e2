"""The cost of a linear probe, chosen by folds of its own training examples."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.shallow import linear
from transfer_jax.types import Array, Key, Samples

ROUGH = 1e-3  # of the objectives of the folds: enough to compare accuracies


class Choice(NamedTuple):
    """What the folds say."""

    cost: Array  # (), the first of those with the highest accuracy
    accuracy: Array  # (costs,), over all the held-out folds together


def stratified_folds(key: Key, samples: Samples, count: int) -> Array:
    """(n,) the fold of each labelled example, 0 to count - 1; -1 for the others.

    Folds differ in size by one at most, and so do their shares of each class.

    Raises:
      ValueError: fewer than two folds, or more than examples.
    """
    n = samples.label.shape[0]
    if not 2 <= count <= n:
        raise ValueError(f'{count} folds of {n} examples: need 2 to {n}')
    counts = (samples.mask > 0) & (samples.label >= 0)
    # Sorted by class, in random order within: deal them out in turn.
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
    """The cost with the highest accuracy on folds that its probe has not seen.

    Each fold is held out once, and a path over `costs` (rising) is fitted on the
    others. No example but those in `samples` plays a part.

    Args:
      kind: 'svm' or 'softmax'.

    Raises:
      ValueError: as `stratified_folds` and `linear_path`.
    """
    linear.linear_path(kind, classes, costs)  # refuses what it cannot fit
    with jax.enable_x64(True):
        costs = jnp.asarray(costs, jnp.float64)
        return _cross(kind, classes, folds, costs, key, samples)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _cross(kind, classes, folds, costs, key, samples):
    fold = stratified_folds(key, samples, folds)
    fit = linear.linear_path(kind, classes, costs, tolerance=ROUGH)

    def held_out(index):
        away = fold == index
        fitted = fit(samples._replace(mask=jnp.where(away, 0, samples.mask)))
        answer = jnp.argmax(linear.linear_scores(fitted, samples.x), -1)
        return jnp.sum((answer == samples.label) & away, -1)

    right = jnp.sum(jax.lax.map(held_out, jnp.arange(folds)), 0)
    accuracy = right / jnp.sum(fold >= 0)
    return Choice(costs[jnp.argmax(accuracy)], accuracy)
