"""Public losses of domain adaptation in their own normalisations.

Each is written here from its definition, on one drawn sample, as (source features,
target features) -> loss. experiments/tables/conversions.py compares their gradients
with those of the library's functions, which are here too ('ours').
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import losses, ops
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.types import Array

EXAMPLES, WIDTH, CLASSES, KERNELS = 32, 64, 10, 5

Loss = Callable[[Array, Array], Array]


@functools.cache
def constants() -> dict[str, np.ndarray]:
    """Source and target features, class probabilities, and discriminators."""
    rng = np.random.default_rng(0)
    n, d, c = EXAMPLES, WIDTH, CLASSES
    logits = rng.normal(size=(2 * n, c)) * np.linspace(0.5, 3, 2 * n)[:, None]
    return {
        'source': rng.normal(size=(n, d)),
        'target': 1.2 * rng.normal(size=(n, d)) + 0.2,
        'probabilities': np.exp(logits) / np.exp(logits).sum(1, keepdims=True),
        'to_logits': rng.normal(size=(d, c)) / np.sqrt(d),
        'of_features': rng.normal(size=d) / np.sqrt(d),
        'of_product': rng.normal(size=d * c) / np.sqrt(d),
        'of_classes': rng.normal(size=(c, d)) / np.sqrt(d),
    }


def of_features(x):
    """Domain logits (n,) of features: DANN."""
    return x @ constants()['of_features']


def of_product(x, p):
    """Domain logits (n,) of features (x) probabilities: CDAN."""
    return losses.multilinear(x, p) @ constants()['of_product']


def of_classes(x, p):
    """Domain logits (n, K) of p_k f: MADA."""
    return jnp.einsum('nk,nd,kd->nk', p, x, constants()['of_classes'])


def domain_loss(logits: Callable, combine: Callable, entropy: bool = False) -> Loss:
    """A loss of domain logits: combine(logits_s, logits_t, weights_s, weights_t)."""
    p = constants()['probabilities']

    def loss(source, target):
        n = source.shape[0]
        arguments = ((source,), (target,))
        if logits is not of_features:
            arguments = ((source, p[:n]), (target, p[n:]))
        both = [logits(*a) for a in arguments]
        weights = [losses.certainty(jnp.asarray(q)) for q in (p[:n], p[n:])]
        return combine(*both, *(weights if entropy else (None, None)))

    return loss


def ours(source, target, source_weight=None, target_weight=None):
    return two_domains.domain_loss(source, target, source_weight, target_weight)[0]


def _cross_entropies(source, target):
    """-log(1 - s(z)) on the source and -log s(z) on the target."""
    return jnp.logaddexp(0.0, source), jnp.logaddexp(0.0, -target)


def sum_of_means(source, target, *_):
    source, target = _cross_entropies(source, target)
    return jnp.mean(source) + jnp.mean(target)


def mean_of_both(source, target, *_):
    return jnp.mean(jnp.concatenate(_cross_entropies(source, target)))


def mean_of_three(source, target, *_):
    """The mean of label loss, source and target loss, over the label loss's third."""
    source, target = _cross_entropies(source, target)
    return (0.0 + jnp.mean(source) + jnp.mean(target)) / 3 / (1 / 3)


def weights_by_domain(source, target, w_s, w_t):
    """Each domain's weights have sum 1; the sum is divided by that of all weights."""
    source, target = _cross_entropies(source, target)
    w_s, w_t = w_s / w_s.sum(), w_t / w_t.sum()
    return (w_s @ source + w_t @ target) / (w_s.sum() + w_t.sum())


def weights_together(source, target, w_s, w_t):
    """Weights of both domains with mean 1 together, and the mean over both."""
    both, w = jnp.concatenate(_cross_entropies(source, target)), jnp.append(w_s, w_t)
    return jnp.mean(w / w.mean() * both)


def sum_over_classes(factor: float) -> Callable:
    def combine(source, target, *_):
        both = jnp.concatenate(_cross_entropies(source, target))
        return factor * jnp.sum(jnp.mean(both, 0))

    return combine


def mmd(kernel_of: Callable) -> Loss:
    """Squared MMD with kernel_of(distances, n), by its definition.

    Unbiased: without the pairs of an example with itself.
    """

    def loss(source, target):
        n = source.shape[0]
        x = jnp.concatenate([source, target])
        distances = jnp.sum((x[:, None] - x) ** 2, -1)
        gram = kernel_of(distances, n)
        others = (1 - jnp.eye(n)) / (n * (n - 1))
        mean_s, mean_t = jnp.sum(others * gram[:n, :n]), jnp.sum(others * gram[n:, n:])
        return mean_s + mean_t - 2 * jnp.mean(gram[:n, n:])

    return loss


def gaussians(middle: Callable, powers: np.ndarray, mean: bool = False) -> Callable:
    """Gaussians exp(-d / (middle * 2^k)), their sum or their mean."""

    def kernel(distances, n):
        center = jax.lax.stop_gradient(middle(distances, n))
        each = jnp.exp(-distances / (center * 2.0 ** powers[:, None, None]))
        return jnp.mean(each, 0) if mean else jnp.sum(each, 0)

    return kernel


def median(distances, n):
    """Of the pairs of different examples; of an even number, the lower one."""
    pairs = distances[jnp.triu_indices(2 * n, 1)]
    return jnp.sort(pairs)[(pairs.size - 1) // 2]


def mean_of_pairs(distances, n):
    return jnp.sum(distances) / (2 * n * (2 * n - 1))


def mean_of_all(distances, n):
    return jnp.mean(distances)


def median_of_source(distances, n):
    """Over all entries, with the zeros of the diagonal; the lower one."""
    return jnp.sort(distances[:n, :n].ravel())[(n * n - 1) // 2]


def dan(source, target):
    kernel = ops.multi_kernel(jnp.concatenate([source, target]), KERNELS)
    return losses.mmd_unbiased(source, target, kernel=kernel)


def _covariances(source, target):
    return jnp.cov(source.T), jnp.cov(target.T)


def coral(source, target):
    c_s, c_t = _covariances(source, target)
    return jnp.sum((c_s - c_t) ** 2) / (4 * WIDTH**2)


def coral_mean(source, target):
    c_s, c_t = _covariances(source, target)
    return jnp.mean((c_s - c_t) ** 2)


def coral_and_means(source, target):
    means = jnp.mean((jnp.mean(source, 0) - jnp.mean(target, 0)) ** 2)
    return means + coral_mean(source, target)


def nuclear(reduce: Callable) -> Loss:
    """`reduce` of the singular values of the target's class probabilities."""

    def loss(source, target):
        p = jax.nn.softmax(target @ constants()['to_logits'])
        return -reduce(jnp.linalg.svd(p, compute_uv=False))

    return loss


def bnm(source, target):
    return -losses.nuclear_norm(target @ constants()['to_logits'])
