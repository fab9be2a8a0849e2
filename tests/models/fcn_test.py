"""Fully convolutional segmentation: skips, starting values, odd sizes."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models
from transfer_jax.models import fcn, layers


class Backbone(nn.Module):
    """A backbone with maps of stride 2, 4 and 8."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        taps = {}
        for i in range(3):
            name = f'conv{i}'
            x = layers.Conv(4, 3, 2, 'SAME', name=name)(x)
            taps[name] = x = nn.relu(x)
        return x, taps


def network(skips=('conv1', 'conv0')):
    return models.FCN(Backbone(), 5, skips)


@pytest.mark.parametrize('size', [(16, 24), (9, 23)])
@pytest.mark.parametrize('skips', [(), ('conv1', 'conv0')])
def test_logits_have_the_size_of_the_image_and_begin_as_zero(size, skips):
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    net = network(skips)
    (logits, taps), variables = jax.jit(
        functools.partial(net.init_with_output, train=False)
    )(jax.random.key(0), x)
    assert logits.shape == (2, *size, 5)
    np.testing.assert_array_equal(logits, 0)
    finest = 2 ** (3 - len(skips))
    assert taps['scores'].shape[1:3] == tuple(-(-s // finest) for s in size)
    names = {'backbone', 'score', *(f'{k}_{s}' for k in ('score', 'up') for s in skips)}
    assert set(variables['params']) == names


def test_upsampling_begins_as_bilinear_interpolation():
    x = np.random.default_rng(1).normal(size=(1, 5, 6, 2)).astype(np.float32)
    double = nn.ConvTranspose(
        2, (4, 4), (2, 2), use_bias=False, kernel_init=fcn._bilinear
    )
    actual, _ = double.init_with_output(jax.random.key(0), x)
    expected = jax.image.resize(x, (1, 10, 12, 2), 'bilinear')
    inner = slice(1, -1)  # beyond the border there are zeros
    np.testing.assert_allclose(
        actual[:, inner, inner], expected[:, inner, inner], atol=1e-5
    )


def test_every_skip_takes_part():
    x = np.random.default_rng(2).normal(size=(1, 16, 16, 3)).astype(np.float32)
    net = network()
    variables = net.init(jax.random.key(0), x, train=False)

    def total(variables):
        return jnp.sum(net.apply(variables, x, train=False)[0][0, 0, 0])

    slopes = jax.jit(jax.grad(total))(variables)['params']
    for name in ('score', 'score_conv1', 'score_conv0'):
        assert np.abs(slopes[name]['kernel']).max() > 0


def test_what_does_not_fit_is_named():
    x = jnp.zeros((1, 16, 16, 3))
    with pytest.raises(ValueError, match="no layer 'pool4'; there are: conv0, conv1"):
        network(('pool4',)).init(jax.random.key(0), x, train=False)
