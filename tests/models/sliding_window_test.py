"""Fully convolutional networks against the same network on every window in turn."""

import functools

import jax
import numpy as np
import pytest

from transfer_jax import models
from transfer_jax.models import weights


def _drawn(shapes, seed=0):
    """Small random parameters of given shapes, so that nothing saturates."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        fan = max(1, np.prod(leaf.shape[:-1]))
        return (rng.normal(size=leaf.shape) * np.sqrt(2 / fan)).astype(np.float32)

    return jax.tree.map(draw, shapes)


@pytest.mark.parametrize(
    ('build', 'side', 'channels'), [(models.AlexNet, 6, 256), (models.VGG, 7, 512)]
)
def test_the_classifier_slides_over_the_map(build, side, channels):
    """fc6 to logits of the dense form on every window of a larger pool5 map.

    Windows of the map, not of the image: at the border of an image's window its own
    convolutions see zeros, where the larger image goes on.
    """
    dense = build(classes=3, hidden=16, start_after='pool5')
    sliding = dense.clone(convolutional=True)
    rng = np.random.default_rng(1)
    larger = np.abs(rng.normal(size=(2, side + 2, side + 3, channels)))
    larger = larger.astype(np.float32)
    window = larger[:, :side, :side]
    init = functools.partial(dense.init, train=False)
    params = _drawn(jax.eval_shape(init, jax.random.key(0), window))['params']
    apply = jax.jit(lambda p, x: dense.apply({'params': p}, x, train=False)[0])
    everywhere, _ = sliding.apply(
        {'params': weights.as_convolutions(params, side)}, larger, train=False
    )
    assert everywhere.shape == (2, 3, 4, 3)
    scale = np.abs(everywhere).max()
    for i in range(3):
        for j in range(4):
            one = apply(params, larger[:, i : i + side, j : j + side])
            np.testing.assert_allclose(everywhere[:, i, j], one, atol=1e-5 * scale)


@pytest.mark.parametrize(('build', 'side'), [(models.AlexNet, 6), (models.VGG, 7)])
def test_on_the_training_size_it_is_the_dense_network(build, side):
    """From pixels: at 224 the map has one position."""
    dense = build(classes=3, hidden=16)
    x = np.random.default_rng(2).normal(size=(1, 224, 224, 3)).astype(np.float32)
    init = functools.partial(dense.init, train=False)
    params = _drawn(jax.eval_shape(init, jax.random.key(0), x))['params']
    converted = weights.as_convolutions(params, side)
    sliding = dense.clone(convolutional=True)

    @jax.jit
    def both(params, converted, x):
        one, _ = dense.apply({'params': params}, x, train=False)
        return one, sliding.apply({'params': converted}, x, train=False)[0]

    one, other = both(params, converted, x)
    assert other.shape == (1, 1, 1, 3)
    scale = np.abs(one).max()
    np.testing.assert_allclose(other[:, 0, 0], one, atol=1e-5 * scale)


def test_a_larger_image_has_a_score_for_every_window():
    """From pixels: AlexNet at 256, with two by two windows of its pool5 map."""
    whole = models.AlexNet(classes=3, hidden=16, convolutional=True)
    below = models.AlexNet(classes=0, end_at='pool5')
    above = models.AlexNet(classes=3, hidden=16, start_after='pool5')
    x = np.random.default_rng(4).normal(size=(1, 256, 256, 3)).astype(np.float32)
    init = functools.partial(models.AlexNet(classes=3, hidden=16).init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), x[:, :224, :224])
    params = _drawn(shapes)['params']
    converted = weights.as_convolutions(params, 6)

    @jax.jit
    def both(params, converted, x):
        scores, _ = whole.apply({'params': converted}, x, train=False)
        return scores, below.apply({'params': params}, x, train=False)[0]

    scores, pool5 = both(params, converted, x)
    assert scores.shape == (1, 2, 2, 3)
    assert pool5.shape == (1, 7, 7, 256)
    apply = jax.jit(lambda p, x: above.apply({'params': p}, x, train=False)[0])
    scale = np.abs(scores).max()
    for i, j in np.ndindex(2, 2):
        one = apply(params, pool5[:, i : i + 6, j : j + 6])
        np.testing.assert_allclose(scores[:, i, j], one, atol=1e-5 * scale)


@pytest.mark.parametrize('size', [64, 75])
def test_a_dilated_squeezenet_holds_the_strided_one(size):
    strided = models.SqueezeNet(classes=0, end_at='fire9')
    x = np.random.default_rng(3).normal(size=(1, size, size, 3)).astype(np.float32)
    init = functools.partial(strided.init, train=False)
    params = _drawn(jax.eval_shape(init, jax.random.key(0), x))['params']
    dilated = strided.clone(output_stride=8)

    @jax.jit
    def maps(params, x):
        nets = (strided, dilated)
        return [net.apply({'params': params}, x, train=False)[0] for net in nets]

    small, large = maps(params, x)
    assert large.shape[1] in (2 * small.shape[1], 2 * small.shape[1] - 1)
    scale = np.abs(small).max()
    np.testing.assert_allclose(large[:, ::2, ::2], small, atol=1e-5 * scale)
    with pytest.raises(ValueError, match='output_stride=4 is not 8 or 16'):
        models.SqueezeNet(output_stride=4).init(jax.random.key(0), x, train=False)
