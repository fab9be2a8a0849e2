"""Gradients of single methods into the logits, by hand and by finite differences."""

import flax.linen as nn
import numpy as np

from transfer_jax import methods
from transfer_jax.training import optim

RNG = np.random.default_rng(0)
UNIT = optim.sgd(optim.constant(1.0), momentum=0.0)
STILL = optim.sgd(optim.constant(0.0), momentum=0.0)


def _softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_the_kernel_of_jan_does_not_collapse_with_sure_predictions(step_of_rows):
    """Two classes 60 : 40 at margin 7: most pairs share a class.

    The squared distance of two predictions of a class is about 1e-6, and so is the
    median. A kernel of that width pulls sure predictions about with a gradient of 1e-2
    (at margin 12 in float64 too); with width 1.68 it is 1e-7.
    """
    label = np.array([0] * 12 + [1] * 8)
    margin = RNG.normal(7, 0.5, 40) * np.where(np.tile(label, 2) == 0, 1, -1)
    logits = np.stack([margin / 2, -margin / 2], 1)

    def largest(width):
        def make(encoder, classifier):
            return methods.jan(
                encoder,
                classifier,
                txs={'encoder': UNIT, 'classifier': STILL},
                weight=optim.constant(1.0),
                layers=['logits'],
                **width,
            )

        return abs(step_of_rows(make, logits, label)[0][20:]).max()

    assert largest({}) < 1e-6
    assert largest({'probability_width': None}) > 1e-3


class Linear(nn.Module):
    """A discriminator of the product of features and probabilities."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        return nn.Dense(1, use_bias=False, name='dense')(x)[:, 0], {}


def test_the_weights_of_cdan_e_pass_the_reversed_gradient(step_of_rows):
    """Its difference from constant weights, by central differences in float64.

    -strength d/dz of mean_source w BCE / mean w + mean_target w BCE / mean w, where
    only the w in the numerators move.
    """
    n, m, c, strength = 4, 5, 3, 0.7
    logits, label = RNG.normal(0, 1.5, (n + m, c)), RNG.integers(c, size=n)
    kernel = RNG.normal(0, 1, (c * c, 1)).astype(np.float32)

    def run(through):
        def make(encoder, classifier):
            return methods.cdan(
                encoder,
                classifier,
                Linear(),
                txs={'encoder': UNIT, 'classifier': STILL, 'discriminator': STILL},
                strength=optim.constant(strength),
                by_entropy=True,
                through_weights=through,
            )

        kernels = {'dense': {'kernel': kernel}}
        return step_of_rows(make, logits, label, discriminator=kernels)

    (through, metrics), (stopped, others) = run(True), run(False)
    assert metrics['train/loss'] == others['train/loss']

    p = _softmax(logits)
    scores = (logits[:, :, None] * p[:, None, :]).reshape(n + m, -1) @ kernel[:, 0]
    domain = np.repeat([0.0, 1.0], [n, m])
    bce = np.logaddexp(0, scores) - domain * scores

    def weight(z):
        p = _softmax(z)
        return 1 + np.exp(np.sum(p * np.log(p), -1))

    mean = [weight(logits)[:n].mean()] * n + [weight(logits)[n:].mean()] * m
    share = np.repeat([1 / n, 1 / m], [n, m])

    def loss(z):
        return np.sum(share * weight(z) * bce / mean)

    expected, h = np.zeros_like(logits), 1e-5
    for i, j in np.ndindex(*logits.shape):
        step = np.zeros_like(logits)
        step[i, j] = h
        slope = (loss(logits + step) - loss(logits - step)) / (2 * h)
        expected[i, j] = strength * slope  # the update is the negative gradient
    assert abs(expected).max() > 1e-2
    np.testing.assert_allclose(through - stopped, expected, atol=2e-6)
