"""NBNN adapted from source to target (Tommasi and Caputo, ICCV 2013)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks, curation
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.nbnn import ENTRIES, descriptor_size, join_domains
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array


class DaNbnn(NamedTuple):
    """The images in use after adaptation, and a metric for each class."""

    x: Array  # (n, m * k), source and target
    label: Array  # (n,), including pseudo-labels; the number of classes if not in use
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
    """NBNN whose metrics are learned while target images replace source images.

    (Tommasi and Caputo, ICCV 2013.) D_c(x) = tr(delta_c M_c delta_c^T) is the distance
    of an image to class c; delta_c (m, k) holds the differences to the nearest
    descriptors of the class, without those of the image itself. Starting from M_c = I,
    each iteration t = 1, ..., `iterations` has two steps.

    (a) It exchanges images. The margin of an image is the distance of the second
    nearest class minus that of the nearest. For each class, the `per_class` target
    images predicted as that class with the largest margin not above `margin` join with
    that label. Images that joined earlier and are now predicted differently leave. The
    `per_class` source images of largest margin leave permanently.

    (b) It learns the metrics of all classes that minimise

      sum_i w_i [(1 - trade) D_p(x_i) + trade sum_{n != p} [margin + D_p - D_n]_+],

    with p the label and w = 1 - t / 10 for source images and t / 10 for target images,
    by `rounds` subgradient steps of length 1 / (sqrt(round) n), each followed by a
    projection onto the positive semidefinite matrices. A decrease below 0.1 ends them.

    Defaults are those of the authors' code. Logits are -D_c. `margin` is in squared
    units of the features, summed over descriptors, so the scale of features matters.
    Labelled target examples are in use from the start and never leave.

    Deviations from the authors' code, which covers one iteration: if fewer than
    `per_class` candidates are below the margin, the nearest ones above it follow, where
    the code takes arbitrary images; source images of small margin leave in the order of
    their margin, not arbitrarily; a class keeps at least 2 images; the best metrics of
    all rounds are used, not the last ones; nearest neighbours are exact.

    The metrics are learned by NumPy inside the compiled program, on the images in use.
    Memory: n * classes * m * k for the differences.

    Raises:
      ValueError: features that are not a multiple of the descriptors, a trade outside
        0 to 1, more than 10 iterations, other counts below 1.
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
        k = descriptor_size(source.x.shape[1], descriptors)
        x, label, counts, domain = join_domains(source, target, classes)
        mask = jnp.concatenate([source.mask, target.mask]) > 0
        state = DaNbnn(
            x,
            jnp.where(counts, label, classes),
            jnp.zeros(len(x), bool),
            jnp.broadcast_to(jnp.eye(k, dtype=x.dtype), (classes, k, k)),
            jnp.zeros((0, 2), x.dtype),
        )

        def iterate(state, share):
            rows = jnp.arange(len(x))
            differences = _differences(x, state, classes, descriptors, rows)
            state = _exchange(state, _distances(state, differences), domain, mask)
            differences = _differences(x, state, classes, descriptors, rows)
            return _learn(state, differences, jnp.where(domain == 0, 1 - share, share))

        objective = []
        shares = jnp.arange(1, iterations + 1, dtype=x.dtype) / 10
        if iterations:
            state, objective = lax.scan(iterate, state, shares)
            state = state._replace(objective=objective)
        return state

    def _distances(state, differences):
        distance = jnp.einsum(
            'qcmk,ckl,qcml->qc', differences, state.metric, differences
        )
        return jnp.where(_present(state.label, classes), distance, jnp.inf)

    def _exchange(state, distance, domain, mask):
        ordered = jnp.sort(distance, 1)
        certain = ordered[:, 1] - ordered[:, 0]
        guess = ops.argmax_first(-distance).astype(state.label.dtype)
        # Target images: remove those with a changed prediction, then add.
        stay = ~state.chosen | (guess == state.label)
        label = jnp.where(stay, state.label, classes)
        chosen = state.chosen & stay
        free = mask & (domain == 1) & (label == classes)
        below = jnp.where(certain <= margin, margin - certain, margin + certain)
        joins = curation.lowest_per_class(
            jnp.where(free, below, jnp.inf), guess, per_class
        )
        label = jnp.where(joins, guess, label)
        # Source images: remove, as long as their class keeps enough.
        count = jnp.sum(label[:, None] == jnp.arange(classes), 0)
        used = (domain == 0) & (label < classes)
        spare = jnp.clip(count - 2, 0, per_class)
        leaves = curation.lowest_per_class(
            jnp.where(used, -certain, jnp.inf), jnp.where(used, label, 0), spare
        )
        label = jnp.where(leaves, classes, label)
        return state._replace(label=label, chosen=chosen | joins)

    def _learn(state, differences, weight):
        c, k, _ = state.metric.shape

        def on_host(differences, label, weight):
            return learn_metrics(
                differences, label.astype(int), weight, trade, margin, rounds
            )

        shapes = (c, k, k), (2,)
        metric, objective = ops.host.call(
            on_host, shapes, differences, state.label.astype(differences.dtype), weight
        )
        return state._replace(metric=metric), objective

    def predict(fitted, x):
        # An image in use with a pseudo-label must not be compared with itself.
        distance = ops.squared_distances(x, fitted.x)
        size = 1e-12 * jnp.max(jnp.sum((fitted.x - jnp.mean(fitted.x, 0)) ** 2, 1))
        distance = jnp.where(fitted.chosen, distance, jnp.inf)
        itself = jnp.where(
            jnp.min(distance, 1) <= size, ops.argmax_first(-distance), -1
        )
        differences = _differences(x, fitted, classes, descriptors, itself)
        return jnp.maximum(-_distances(fitted, differences), ABSENT_LOGIT)

    return Shallow(fit, unchanged, unchanged, predict=predict)


def learn_metrics(differences, label, weight, trade, margin, rounds):
    """Metrics (c, k, k), and the objective (2,) before and after learning, by NumPy.

    Args:
      differences: (n, c, m, k).
      label: (n,), c where an image does not count.
      weight: (n,).
    """
    n, c, m, k = differences.shape
    eye = np.eye(k)
    used = np.flatnonzero(
        (label < c) & (np.bincount(label, minlength=c + 1)[label] > 1)
    )
    if not len(used):
        return np.broadcast_to(eye, (c, k, k)).copy(), np.zeros(2)
    known = np.bincount(label, minlength=c + 1)[:c, None] > 0
    label, weight = label[used], weight[used]
    z = differences[used].transpose(1, 0, 2, 3).reshape(c, -1, k)  # (c, images * m, k)
    is_label = np.eye(c, dtype=bool)[label].T  # (c, images)
    basis = None
    if z.shape[1] < k:  # the metrics are the identity outside the span of z
        basis, triangle = np.linalg.qr(z.transpose(0, 2, 1))
        z = triangle.transpose(0, 2, 1)
    metric = np.broadcast_to(np.eye(z.shape[2]), (c, *z.shape[2:] * 2)).copy()
    best = None
    previous = first = np.inf
    for t in range(1, rounds + 1):
        distance = np.einsum('crk,crk->cr', z @ metric, z)
        distance = distance.reshape(c, -1, m).sum(2)
        label_distance = distance[label, np.arange(len(label))]
        violation = np.where(
            is_label | ~known, -np.inf, margin + label_distance - distance
        )
        hinge = np.maximum(violation, 0).sum(0)
        objective = np.sum(weight * ((1 - trade) * label_distance + trade * hinge))
        if best is None:
            first = objective
        if best is None or objective < best[0]:
            best = objective, metric
        if 0 < previous - objective < 0.1:
            break
        previous = objective
        active = violation >= 0
        factor = np.where(is_label, 1 - trade + trade * active.sum(0), -trade * active)
        factor = factor * weight
        slope = (np.repeat(factor, m, 1)[..., None] * z).transpose(0, 2, 1) @ z
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
    """(q, c, m, k), each descriptor minus its nearest one of each class, or 0.

    Args:
      itself: (q,), the row of `images` that an image of x must not be compared with.
    """
    if itself is None:
        itself = jnp.full(len(x), -1)
    support = images.x.reshape(len(images.x) * descriptors, -1)
    owner = jnp.repeat(jnp.arange(len(images.x)), descriptors)
    label = jnp.repeat(images.label, descriptors)
    # Centred, because far from the origin squared lengths would cancel to noise.
    middle = jnp.mean(support, 0)
    support = support - middle
    length = jnp.sum(support**2, 1)

    def one(query, itself):
        query = query.reshape(descriptors, -1) - middle
        distance = length - 2 * query @ support.T  # + |query|^2, the same for all

        def nearest(c):
            usable = (label == c) & (owner != itself)
            index = ops.argmax_first(jnp.where(usable, -distance, -jnp.inf))
            return jnp.where(jnp.any(usable), query - support[index], 0)

        return jax.vmap(nearest)(jnp.arange(classes))

    turns = max(1, ENTRIES // (len(support) * descriptors * classes))
    return lax.map(lambda pair: one(*pair), (x, itself), batch_size=turns)
