"""NBNN adapted from source to target (Tommasi and Caputo, ICCV 2013)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks, curation
from transfer_jax.shallow.classifiers import FARTHEST
from transfer_jax.shallow.nbnn import ENTRIES, features, join
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array


class DaNbnn(NamedTuple):
    """The images that are left after adaptation, and a metric for each class."""

    x: Array  # (n, m * k), source and target
    label: Array  # (n,), pseudo-labels too; the number of classes: not used
    chosen: Array  # (n,), whether an image is in use with a pseudo-label
    metric: Array  # (c, k, k)
    objective: Array  # (iterations, 2), before and after each metric learning


def da_nbnn(
    classes: int,
    descriptors: int = 1,
    *,
    iterations: int = 10,
    per_class: int = 2,
    trade: float = 0.5,
    margin: float = 1.0,
    rounds: int = 200,
) -> Shallow:
    """NBNN with metrics learned while target images take the place of source images.

    (Tommasi and Caputo, ICCV 2013.) D_c(x) = tr(delta_c M_c delta_c^T) is the distance
    of an image to class c, delta_c (m, k) the differences to the nearest descriptors of
    the class, those of the image itself left out. From M_c = I, iteration t = 1, ...
    `iterations` (a) moves images: for each class, the `per_class` target images that
    are predicted to be of it with the largest distance margin (second nearest class
    against nearest) not above `margin` join with that label, those that joined before
    and have changed their prediction leave, and the `per_class` source images of the
    largest margin leave for good; (b) learns the metrics of all classes that minimise

      sum_i w_i [(1 - trade) D_p(x_i) + trade sum_{n != p} [margin + D_p - D_n]_+],

    p the label, w = 1 - t / 10 for source images and t / 10 for target images, by
    `rounds` subgradient steps of length 1 / (sqrt(round) n), each followed by a
    projection onto positive semidefinite matrices; a fall below 0.1 ends them. Values
    by default are those of the authors' code. Logits are -D_c. `margin` is in squared
    units of the features, summed over descriptors: scale matters. Labelled target
    examples are target images from the start on, and stay.

    Deviations from the authors' code, which shows one iteration: where fewer than
    `per_class` candidates are below the margin, it takes arbitrary images, here those
    nearest above follow; source images of small margin leave by their margin, there
    arbitrarily; a class keeps at least 2 images; the best metrics of the rounds are
    kept, there the last ones; nearest neighbours are exact.

    The metrics are learned by NumPy inside the compiled program, on those images that
    are in use. Memory: n * classes * m * k for the differences.

    Raises:
      ValueError: features that are not a multiple of the descriptors, a trade outside
        of 0 to 1, more than 10 iterations, other counts below 1.
    """
    for name, value in (('descriptors', descriptors), ('per_class', per_class)):
        checks.positive(name, value)
    checks.positive('rounds', rounds)
    checks.positive('margin', margin)
    if not 0 <= trade <= 1:
        raise ValueError(f'trade {trade}: must be 0 to 1')
    if not 0 <= iterations <= 10:
        raise ValueError(f'iterations {iterations}: must be 0 to 10')

    def fit(key, source, target):
        del key
        k = features(source.x.shape[1], descriptors)
        x, label, counts, domain = join(source, target, classes)
        mask = jnp.concatenate([source.mask, target.mask]) > 0
        state = DaNbnn(
            x,
            jnp.where(counts, label, classes),
            jnp.zeros(len(x), bool),
            jnp.broadcast_to(jnp.eye(k, dtype=x.dtype), (classes, k, k)),
            jnp.zeros((0, 2), x.dtype),
        )

        def iterate(state, share):
            apart = _differences(x, state, classes, descriptors, jnp.arange(len(x)))
            state = _move(state, _distances(state, apart), domain, mask)
            apart = _differences(x, state, classes, descriptors, jnp.arange(len(x)))
            return _learn(state, apart, jnp.where(domain == 0, 1 - share, share))

        objective = []
        shares = jnp.arange(1, iterations + 1, dtype=x.dtype) / 10
        if iterations:
            state, objective = lax.scan(iterate, state, shares)
            state = state._replace(objective=objective)
        return state

    def _distances(state, apart):
        found = jnp.einsum('qcmk,ckl,qcml->qc', apart, state.metric, apart)
        return jnp.where(_present(state.label, classes), found, jnp.inf)

    def _move(state, distance, domain, mask):
        ordered = jnp.sort(distance, 1)
        certain = ordered[:, 1] - ordered[:, 0]
        guess = ops.argmax_first(-distance).astype(state.label.dtype)
        # Target images: back, then in.
        stay = ~state.chosen | (guess == state.label)
        label = jnp.where(stay, state.label, classes)
        chosen = state.chosen & stay
        free = mask & (domain == 1) & (label == classes)
        below = jnp.where(certain <= margin, margin - certain, margin + certain)
        joins = curation.first_of_class(
            jnp.where(free, below, jnp.inf), guess, per_class
        )
        label = jnp.where(joins, guess, label)
        # Source images: out, as long as their class keeps enough.
        count = jnp.sum(label[:, None] == jnp.arange(classes), 0)
        used = (domain == 0) & (label < classes)
        spare = jnp.clip(count - 2, 0, per_class)
        leaves = curation.first_of_class(
            jnp.where(used, -certain, jnp.inf), jnp.where(used, label, 0), spare
        )
        label = jnp.where(leaves, classes, label)
        return state._replace(label=label, chosen=chosen | joins)

    def _learn(state, apart, weight):
        c, k, _ = state.metric.shape

        def on_host(apart, label, weight):
            return learn_metrics(
                apart, label.astype(int), weight, trade, margin, rounds
            )

        shapes = (c, k, k), (2,)
        metric, objective = ops.host.call(
            on_host, shapes, apart, state.label.astype(apart.dtype), weight
        )
        return state._replace(metric=metric), objective

    def predict(fitted, x):
        # An image that is in use with a pseudo-label must not meet itself.
        same = ops.squared_distances(x, fitted.x)
        size = 1e-12 * jnp.max(jnp.sum((fitted.x - jnp.mean(fitted.x, 0)) ** 2, 1))
        same = jnp.where(fitted.chosen, same, jnp.inf)
        itself = jnp.where(jnp.min(same, 1) <= size, ops.argmax_first(-same), -1)
        apart = _differences(x, fitted, classes, descriptors, itself)
        return jnp.maximum(-_distances(fitted, apart), FARTHEST)

    return Shallow(fit, unchanged, unchanged, predict=predict)


def learn_metrics(apart, label, weight, trade, margin, rounds):
    """Metrics (c, k, k) and the objective (2,) with identities and with the metrics.

    NumPy. Args: differences (n, c, m, k); labels (n,), c where an image does not count;
    weights (n,).
    """
    n, c, m, k = apart.shape
    eye = np.eye(k)
    used = np.flatnonzero(
        (label < c) & (np.bincount(label, minlength=c + 1)[label] > 1)
    )
    if not len(used):
        return np.broadcast_to(eye, (c, k, k)).copy(), np.zeros(2)
    known = np.bincount(label, minlength=c + 1)[:c, None] > 0
    label, weight = label[used], weight[used]
    apart = apart[used].transpose(1, 0, 2, 3).reshape(c, -1, k)  # (c, images * m, k)
    own = np.eye(c, dtype=bool)[label].T  # (c, images)
    basis = None
    if apart.shape[1] < k:  # the metrics are the identity outside of the differences
        basis, triangle = np.linalg.qr(apart.transpose(0, 2, 1))
        apart = triangle.transpose(0, 2, 1)
    metric = np.broadcast_to(np.eye(apart.shape[2]), (c, *apart.shape[2:] * 2)).copy()
    best = None
    before = first = np.inf
    for t in range(1, rounds + 1):
        distance = np.einsum('crk,crk->cr', apart @ metric, apart)
        distance = distance.reshape(c, -1, m).sum(2)
        right = distance[label, np.arange(len(label))]
        lack = np.where(own | ~known, -np.inf, margin + right - distance)
        hinge = np.maximum(lack, 0).sum(0)
        objective = np.sum(weight * ((1 - trade) * right + trade * hinge))
        if best is None:
            first = objective
        if best is None or objective < best[0]:
            best = objective, metric
        if 0 < before - objective < 0.1:
            break
        before = objective
        active = lack >= 0
        push = (
            np.where(own, 1 - trade + trade * active.sum(0), -trade * active) * weight
        )
        slope = (np.repeat(push, m, 1)[..., None] * apart).transpose(0, 2, 1) @ apart
        value, vector = np.linalg.eigh(metric - slope / (np.sqrt(t) * len(label)))
        metric = (vector * np.maximum(value, 0)[:, None]) @ vector.transpose(0, 2, 1)
    objective, metric = best
    if basis is not None:
        change = metric - np.eye(metric.shape[1])
        metric = eye + basis @ change @ basis.transpose(0, 2, 1)
    return metric, np.array([first, objective])


def _present(label, classes):
    return jnp.any(label[:, None] == jnp.arange(classes), 0)


def _differences(x, images, classes, descriptors, itself=None):
    """(q, c, m, k), each descriptor minus the nearest of each class; 0 for none.

    Args:
      itself: (q,), the row of `images` that an image of x must not be compared with.
    """
    if itself is None:
        itself = jnp.full(len(x), -1)
    support = images.x.reshape(len(images.x) * descriptors, -1)
    owner = jnp.repeat(jnp.arange(len(images.x)), descriptors)
    label = jnp.repeat(images.label, descriptors)
    # Far from the origin squared lengths would cancel to noise.
    middle = jnp.mean(support, 0)
    support = support - middle
    length = jnp.sum(support**2, 1)

    def one(query, itself):
        query = query.reshape(descriptors, -1) - middle
        distance = length - 2 * query @ support.T  # and |query|^2, alike for all

        def nearest(c):
            usable = (label == c) & (owner != itself)
            index = ops.argmax_first(jnp.where(usable, -distance, -jnp.inf))
            return jnp.where(jnp.any(usable), query - support[index], 0)

        return jax.vmap(nearest)(jnp.arange(classes))

    turns = max(1, ENTRIES // (len(support) * descriptors * classes))
    return lax.map(lambda pair: one(*pair), (x, itself), batch_size=turns)
