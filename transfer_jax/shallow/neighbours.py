"""k-nearest-neighbour classification."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.shallow import Classifier
from transfer_jax.types import Array

BLOCK = 32  # examples in a block of `smallest`


class Voters(NamedTuple):
    """The training examples, sorted by class."""

    x: Array  # (n, k)
    label: Array  # (n,), the number of classes where an example does not count
    present: Array  # (classes,), whether a class has examples


def nearest_neighbours(classes: int, count: int) -> Classifier:
    """k-NN with Euclidean distance: the vote of the `count` nearest examples.

    The logit of a class is the number of its votes, plus a fraction below 1 that is
    larger the nearer its nearest voter is. So ties go to the class with the nearest
    example. Among equally near examples the one of the lowest class votes, so that one
    neighbour predicts the same as `nearest_neighbour`. If fewer than `count` examples
    are labelled, all of them vote. Padding and unlabelled examples never vote.

    Raises:
      ValueError: fewer than 1 neighbour. `fit` raises it for instance weights, which it
        cannot use.
    """
    if count < 1:
        raise ValueError(f'count {count}: need at least 1 neighbour')

    def fit(key, source, weights):
        del key
        if weights is not None:
            raise ValueError('nearest_neighbours takes no instance weights')
        counts = (source.mask > 0) & (source.label >= 0)
        label = jnp.where(counts, source.label, classes)
        order = jnp.argsort(label)
        x = jnp.where(counts[:, None], source.x, 0)[order]
        present = jnp.any(label[:, None] == jnp.arange(classes), 0)
        return Voters(x, label[order], present)

    def logits(fitted, x):
        chex.assert_rank(x, 2)
        distances = ops.squared_distances(x, fitted.x)
        distances = jnp.where(fitted.label < classes, distances, jnp.inf)
        nearest = smallest(distances, min(count, distances.shape[1]))
        label = jnp.take(fitted.label, nearest)  # of NumPy arrays too, unlike [nearest]
        votes = jax.nn.one_hot(label, classes, dtype=x.dtype)  # 0 beyond the classes
        # 1 for the nearest voter, decreasing to 0; exact in float32 too.
        nearness = 1 - jnp.arange(votes.shape[1]) / votes.shape[1]
        tie = jnp.max(votes * nearness[:, None], 1) / 2
        return jnp.where(fitted.present, jnp.sum(votes, 1) + tie, ABSENT_LOGIT)

    return Classifier(fit, logits)


def smallest(values: Array, count: int) -> Array:
    """Columns of the `count` smallest values per row, in order, (m, n) -> (m, count).

    Ties are ordered by column. On CPU lax.top_k sorts whole rows, which is 10 times
    slower. Here the rows are divided into blocks: the `count` smallest values of a row
    are in the `count` blocks of smallest minimum.
    """
    m, n = values.shape
    if n <= 2 * BLOCK * count:
        return _in_turn(values, count)
    filled = jnp.pad(values, ((0, 0), (0, -n % BLOCK)), constant_values=jnp.inf)
    blocks = filled.reshape(m, -1, BLOCK)
    chosen = jnp.sort(_in_turn(jnp.min(blocks, -1), count), 1)
    inside = jnp.take_along_axis(blocks, chosen[:, :, None], 1).reshape(m, -1)
    position = _in_turn(inside, count)
    block = jnp.take_along_axis(chosen, position // BLOCK, 1)
    return block * BLOCK + position % BLOCK


def _in_turn(values: Array, count: int) -> Array:
    """As `smallest`, with one search per rank."""
    column = jnp.arange(values.shape[1])

    def find(last, _):
        value, index = (leaf[:, None] for leaf in last)
        later = (values > value) | ((values == value) & (column > index))
        best = jnp.min(jnp.where(later, values, jnp.inf), 1)
        match = later & (values == best[:, None])
        index = jnp.min(jnp.where(match, column, values.shape[1]), 1)
        return (best, index), index

    start = jnp.full(len(values), -jnp.inf, values.dtype)
    first = (start, jnp.full(len(values), -1, column.dtype))
    return jax.lax.scan(find, first, None, count)[1].T
