"""Shapes, layer names and sizes of every network; dropout only in training."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models, tree
from transfer_jax.recipes import networks

KEY = jax.random.key(0)


def _dense(*widths):
    return sum(a * b + b for a, b in zip(widths, widths[1:], strict=False))


def _conv(window, *channels):
    pairs = zip(channels, channels[1:], strict=False)
    return sum(window**2 * a * b + b for a, b in pairs)


# encoder, side, features, parameters, layers with shapes of their outputs
ENCODERS = {
    'mnist': (
        models.GaninMnist(),
        28,
        768,
        _conv(5, 3, 32, 48),
        {'conv_1': (12, 12, 32), 'conv_2': (4, 4, 48)},
    ),
    'svhn': (
        models.GaninSvhn(),
        32,
        6272,
        _conv(5, 3, 64, 64, 128),
        {'conv_1': (15, 15, 64), 'conv_2': (7, 7, 64), 'conv_3': (7, 7, 128)},
    ),
    'signs': (
        models.GaninSigns(),
        40,
        1024,
        _conv(5, 3, 96) + _conv(3, 96, 144) + _conv(5, 144, 256),
        {'conv_1': (18, 18, 96), 'conv_2': (8, 8, 144), 'conv_3': (2, 2, 256)},
    ),
    'lenet': (
        models.LeNet(),
        28,
        500,
        _conv(5, 3, 20, 50) + _dense(800, 500),
        {'conv_1': (12, 12, 20), 'conv_2': (4, 4, 50), 'dense': (500,)},
    ),
    'layered': (
        models.LayeredNet(),
        28,
        128,
        _conv(3, 3, 16, 32, 48) + _dense(3 * 3 * 48, 128, 128),
        {
            'conv_1': (14, 14, 16),
            'conv_2': (7, 7, 32),
            'conv_3': (3, 3, 48),
            'dense_4': (128,),
            'dense_5': (128,),
        },
    ),
    'small': (
        models.SmallNet(4),
        16,
        4 * 4 * 8,
        _conv(3, 3, 4, 8, 8),
        {'conv_1': (8, 8, 4), 'conv_2': (4, 4, 8), 'conv_3': (4, 4, 8)},
    ),
}


def _count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _shapes(module, shape):
    """(output, taps) and variables, without computing them."""
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    init = functools.partial(module.init_with_output, train=False)
    return jax.eval_shape(init, KEY, x)


@pytest.mark.parametrize('name', ENCODERS)
def test_encoders(name):
    module, side, features, count, layers = ENCODERS[name]
    (output, taps), variables = _shapes(module, (2, side, side, 3))
    assert output.shape == (2, features)
    assert {layer: tap.shape[1:] for layer, tap in taps.items()} == layers
    assert set(variables['params']) == set(layers)
    assert _count(variables['params']) == count
    assert all(path.split('/')[0] in layers for path in tree.paths(variables['params']))


def test_networks_of_equal_fields_are_one_static_argument():
    for make in (models.GaninMnist, models.GaninSvhn, models.LeNet, models.SmallNet):
        assert make() == make() and hash(make()) == hash(make())
        half = make().clone(dtype=jnp.bfloat16)
        assert half != make() and half == make(dtype=jnp.bfloat16)
    assert models.GaninMnist() != models.LeNet()
    assert models.SmallNet(4) != models.SmallNet()


def test_lenet_has_the_size_of_caffes():
    """431,080 parameters for grey images, in lenet.prototxt of Caffe."""
    (output, _), encoder = _shapes(models.LeNet(), (1, 28, 28, 1))
    _, classifier = _shapes(models.Classifier(10), output.shape)
    assert _count((encoder['params'], classifier['params'])) == 431_080


@pytest.mark.parametrize(
    'name, features, classes, hidden, discriminator',
    [
        ('mnist', 768, 10, (100, 100), (100,)),
        ('svhn', 6272, 10, (3072, 2048), (1024, 1024)),
        ('signs', 1024, 43, (512,), (1024, 1024)),
    ],
)
def test_the_heads_of_ganins_figure_4(name, features, classes, hidden, discriminator):
    chosen = networks.build(name, classes)
    (logits, taps), variables = _shapes(chosen.classifier, (2, features))
    assert logits.shape == (2, classes)
    assert [taps[f'hidden_{i + 1}'].shape[1] for i in range(len(hidden))] == [*hidden]
    assert _count(variables['params']) == _dense(features, *hidden, classes)
    (guess, _), variables = _shapes(chosen.discriminator, (2, features))
    assert guess.shape == (2,)  # one logit per example
    assert _count(variables['params']) == _dense(features, *discriminator, 1)
    (output, _), _ = _shapes(chosen.encoder, (2, *[ENCODERS[name][1]] * 2, 3))
    assert output.shape == (2, features)


def test_conv_against_numpy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 5, 5, 2)).astype(np.float32)
    module = models.Conv(3, 3, stride=2, padding=1)
    params = module.init(KEY, x)['params']
    params = {**params, 'bias': jnp.asarray([1.0, 2.0, 3.0])}
    actual = jax.jit(module.apply)({'params': params}, x)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = np.asarray(params['kernel'])
    expected = np.zeros((1, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            patch = padded[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            expected[0, i, j] = np.tensordot(patch, kernel, 3) + params['bias']
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize(
    'module',
    [
        models.Classifier(3, (64,), dropout=0.5),
        models.Discriminator((64,), dropout=0.5),
    ],
)
def test_dropout_is_on_in_training_only(module):
    x = jnp.ones((4, 8))
    variables = module.init(KEY, x, train=False)

    @functools.partial(jax.jit, static_argnames='train')
    def hidden(key, train):
        _, taps = module.apply(variables, x, train=train, rngs={'dropout': key})
        return taps['hidden_1']

    keys = jax.random.split(KEY)
    off = hidden(keys[0], train=False)
    np.testing.assert_array_equal(off, hidden(keys[1], train=False))
    on = hidden(keys[0], train=True)
    assert not np.array_equal(on, hidden(keys[1], train=True))
    on_units = on > 0
    assert 0.3 < (on_units.sum() / (off > 0).sum()) < 0.7
    np.testing.assert_allclose(on[on_units], 2 * off[on_units], rtol=1e-6)


def test_a_discriminator_may_leak():
    x = jnp.asarray([[1.0], [-1.0]])
    module = models.Discriminator((1,), slope=0.2)
    params = module.init(KEY, x, train=False)['params']
    params = jax.tree.map(jnp.ones_like, params)
    params['hidden_1']['bias'] = jnp.zeros(1)
    _, taps = module.apply({'params': params}, x, train=False)
    np.testing.assert_allclose(taps['hidden_1'][:, 0], [1.0, -0.2], rtol=1e-6)


def test_a_layered_net_freezes_the_statistics_of_named_layers_only():
    net = models.LayeredNet(norm=models.BatchNorm, frozen=('conv_2', 'dense_5'))
    x = jax.random.normal(KEY, (4, 28, 28, 3))
    variables = net.init(KEY, x, train=False)
    for part in ('params', 'batch_stats'):
        assert tuple(variables[part]) == net.LAYERS
    _, moved = jax.jit(
        lambda v, x: net.apply(v, x, train=True, mutable=['batch_stats'])
    )(variables, x)
    for layer in net.LAYERS:
        before = variables['batch_stats'][layer]['norm']['mean']
        same = (before == moved['batch_stats'][layer]['norm']['mean']).all()
        assert same == (layer in net.frozen), layer
    with pytest.raises(ValueError, match="no layer 'conv_9'"):
        models.LayeredNet(frozen=('conv_9',)).init(KEY, x, train=False)


def test_an_encoder_computes_in_the_type_it_is_given_and_keeps_float32():
    chosen = networks.build('mnist', 4, 'joint', dtype='bfloat16')
    x = jnp.ones((2, 28, 28, 3))
    variables = chosen.encoder.init(jax.random.key(0), x, train=False)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
    apply = functools.partial(chosen.encoder.apply, train=False)
    assert 'bf16[2,24,24,32]' in str(jax.make_jaxpr(apply)(variables, x))
    with pytest.raises(ValueError, match="no dtype 'half'; choose from float32"):
        networks.build('mnist', 4, dtype='half')


@pytest.mark.parametrize('kind', [jnp.uint8, jnp.int32, jnp.bool_])
def test_every_network_refuses_images_that_are_not_normalised(kind):
    modules = {name: entry[0] for name, entry in ENCODERS.items()}
    modules |= {
        'small': models.SmallNet(),
        'squeezenet': models.SqueezeNet(),
        'mobilenet_v1': models.MobileNetV1(),
        'mobilenet_v2': models.MobileNetV2(),
        'cifar': models.CifarResNet(),
        'alexnet': models.AlexNet(),
        'vgg': models.VGG(),
        'googlenet': models.GoogLeNet(),
        'resnet': models.ResNet(),
        'fcn': models.FCN(models.SqueezeNet(end_at='fire9'), 3),
    }
    images = jax.ShapeDtypeStruct((2, 32, 32, 3), kind)
    for module in modules.values():
        init = functools.partial(module.init, train=False)
        with pytest.raises(ValueError, match=r'not \w+: map .*data.normalise\(mean\)'):
            jax.eval_shape(init, KEY, images)
