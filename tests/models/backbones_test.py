"""Backbones: sizes, taps, cuts at every layer, dilation, the convolutional form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models, tree
from transfer_jax.models import layers, weights
from transfer_jax.training import optim

# {name: (network, its parameters with the default classes, d of its feature vector)}
NETWORKS = {
    'squeezenet': (models.SqueezeNet(), 1_235_496, 512),
    'mobilenet_v1': (models.MobileNetV1(), 4_231_976, 1024),
    'mobilenet_v1_075': (models.MobileNetV1(width=0.75), 2_585_560, 768),
    'mobilenet_v2': (models.MobileNetV2(), 3_504_872, 1280),
    'cifar_20': (models.CifarResNet(), 269_722, 64),
    'cifar_56': (models.CifarResNet(depth=56), 853_018, 64),
    'alexnet': (models.AlexNet(), 61_100_840, 4096),
    'vgg16': (models.VGG(), 138_357_544, 4096),
    'vgg19': (models.VGG(depth=19), 143_667_240, 4096),
    'googlenet': (models.GoogLeNet(), 6_624_904, 1024),
    'resnet18': (models.ResNet(depth=18), 11_689_512, 512),
    'resnet34': (models.ResNet(depth=34), 21_797_672, 512),
    'resnet50': (models.ResNet(), 25_557_032, 2048),
    'resnet101': (models.ResNet(depth=101), 44_549_160, 2048),
    'zfnet': (models.ZFNet(), 62_357_608, 4096),
    'efficientnet_b0': (models.EfficientNet(), 5_288_548, 1280),
    'convnext_tiny': (models.ConvNeXt(), 28_589_128, 768),
    'vit_small': (models.ViT(width=384, heads=6), 22_050_664, 384),
    'vit_base': (models.ViT(), 86_567_656, 768),
    'vit_mean': (models.ViT(pool='mean'), 86_567_656, 768),
}
# {name: {layer: shape of its activation for an image of 224 (32)}}
TAPS = {
    'squeezenet': {
        'conv1': (111, 111, 64),
        'pool1': (55, 55, 64),
        'fire3': (55, 55, 128),
        'pool3': (27, 27, 128),
        'pool5': (13, 13, 256),
        'fire9': (13, 13, 512),
    },
    'mobilenet_v1': {'conv1': (112, 112, 32), 'block13': (7, 7, 1024)},
    'mobilenet_v2': {'block1': (112, 112, 16), 'conv2': (7, 7, 1280)},
    'cifar_20': {'block1_3': (32, 32, 16), 'block3_3': (8, 8, 64), 'average': (64,)},
    'alexnet': {'conv5': (13, 13, 256), 'pool5': (6, 6, 256), 'fc6': (4096,)},
    'vgg16': {'conv5_3': (14, 14, 512), 'pool5': (7, 7, 512), 'fc7': (4096,)},
    'googlenet': {'pool2': (28, 28, 192), 'inception5b': (7, 7, 1024)},
    'resnet50': {'pool1': (56, 56, 64), 'block4_3': (7, 7, 2048), 'average': (2048,)},
    'zfnet': {  # figure 3 of the paper
        'conv1': (110, 110, 96),
        'pool1': (55, 55, 96),
        'conv2': (26, 26, 256),
        'pool2': (13, 13, 256),
        'conv5': (13, 13, 256),
        'pool5': (6, 6, 256),
    },
    'efficientnet_b0': {'block11': (14, 14, 112), 'conv2': (7, 7, 1280)},
    'convnext_tiny': {
        'stem': (56, 56, 96),
        'block3_9': (14, 14, 384),
        'block4_3': (7, 7, 768),
        'norm': (768,),
    },
    'vit_small': {'block12': (14, 14, 768), 'class_token': (384,)},
    'vit_mean': {'patches': (14, 14, 1536), 'average': (768,), 'norm': (768,)},
}
# Networks or their last layers: (network, shape of an example of its input)
CUT = {
    'cifar_8': (models.CifarResNet(classes=5, depth=8), (8, 8, 3)),
    'squeezenet': (models.SqueezeNet(classes=5, start_after='fire6'), (3, 3, 384)),
    'mobilenet_v2': (
        models.MobileNetV2(classes=5, norm=None, start_after='block16'),
        (2, 2, 160),
    ),
    'googlenet': (
        models.GoogLeNet(classes=5, start_after='inception5a', norm=None),
        (2, 2, 832),
    ),
    'alexnet': (models.AlexNet(classes=5, hidden=6, start_after='conv4'), (5, 5, 384)),
    'zfnet': (models.ZFNet(classes=5, hidden=6, start_after='conv4'), (5, 5, 384)),
    'efficientnet_b0': (
        models.EfficientNet(classes=5, norm=None, start_after='block14'),
        (2, 2, 192),
    ),
    'convnext_tiny': (
        models.ConvNeXt(classes=5, start_after='block3_9', layer_scale=1.0),
        (2, 2, 384),
    ),
    'vit': (
        models.ViT(classes=5, patch=4, width=8, heads=2, depth=2, grid=2),
        (8, 12, 3),
    ),
    'vit_clip': (
        models.ViT(
            **{'classes': 5, 'patch': 4, 'width': 8, 'heads': 2, 'depth': 1, 'grid': 2},
            **{'pre_norm': True, 'embedding': 6, 'layer_scale': 0.5},
        ),
        (8, 8, 3),
    ),
    'vit_mean': (
        models.ViT(
            **{'classes': 5, 'patch': 4, 'width': 8, 'heads': 2, 'depth': 1, 'grid': 2},
            pool='mean',
        ),
        (8, 8, 3),
    ),
}


def _side(name):
    return 32 if name.startswith('cifar') else 224


def _trace(module, *shape):
    """(output, taps), variables as shapes; and the names of the taps in order."""
    names = []

    def forward(x):
        answer, variables = module.init_with_output(jax.random.key(0), x, train=False)
        names.extend(answer[1])
        return answer, variables

    return *jax.eval_shape(forward, jax.ShapeDtypeStruct(shape, jnp.float32)), names


def _drawn(shapes, seed=0):
    """Variables of these shapes, made fast, that give activations of unit size."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        fan_in = np.prod(leaf.shape[:-1]) if leaf.ndim > 1 else 100
        return rng.normal(0, (2 / fan_in) ** 0.5, leaf.shape).astype(np.float32)

    params = jax.tree.map(draw, shapes['params'])
    rest = {name: part for name, part in shapes.items() if name != 'params'}
    return {'params': params, **jax.tree.map(lambda x: np.ones(x.shape), rest)}


def _quick(function):
    """The function compiled with few optimisations, which takes half the time."""
    return jax.jit(function, compiler_options={'xla_backend_optimization_level': 0})


def _images(side, n=2, channels=3):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, side, side, channels)).astype(np.float32)


@pytest.mark.parametrize('name', NETWORKS)
def test_sizes(name):
    module, count, features = NETWORKS[name]
    side = _side(name)
    (output, taps), variables, names = _trace(module, 2, side, side, 3)
    assert output.shape == (2, module.classes)
    assert output.dtype == jnp.float32
    assert sum(x.size for x in jax.tree.leaves(variables['params'])) == count
    assert all(path.split('/')[1] in taps for path in tree.paths(variables))
    for layer, shape in TAPS.get(name, {}).items():
        assert taps[layer].shape == (2, *shape), layer
    assert names[-1] == 'logits'

    vector = module.clone(classes=0)
    (output, taps), headless, _ = _trace(vector, 2, side, side, 3)
    assert output.shape == (2, features)
    left = set(variables['params']) - set(headless['params'])
    assert left == {'logits'}
    assert 'logits' not in taps


@pytest.mark.parametrize('name', CUT)
def test_one_layer_after_another_is_the_whole_network(name):
    whole, shape = CUT[name]
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    (_, taps), shapes, names = _trace(whole, *x.shape)
    parts = list(zip([whole.start_after, *names], names, strict=False))
    inputs = {whole.start_after: x, **taps}
    seen = []
    for start_after, end_at in parts:
        part = whole.clone(start_after=start_after, end_at=end_at)
        _, own, layer = _trace(part, *inputs[start_after].shape)
        assert layer == [end_at]
        seen += tree.paths(own)
    assert sorted(seen) == sorted(tree.paths(shapes))  # each belongs to one part

    @_quick
    def both(variables, x):
        y, taps = x, {}
        for start_after, end_at in parts:
            part = whole.clone(start_after=start_after, end_at=end_at)
            y, own = part.apply(variables, y, train=False)
            taps.update(own)
        return whole.apply(variables, x, train=False), (y, taps)

    expected, actual = both(_drawn(shapes), x)
    assert np.ptp(expected[0]) > 0
    same = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    jax.tree.map(same, actual, expected)


def test_names_that_are_no_layers():
    x = jnp.zeros((1, 8, 8, 3))
    for fields, message in (
        (
            {'end_at': 'fire10'},
            r"end_at='fire10' is no layer; choose from \['conv1', 'pool1'",
        ),
        ({'start_after': 'fc7'}, "start_after='fc7' is no layer"),
        ({'start_after': 'fire3', 'end_at': 'fire2'}, 'no layer lies between'),
        ({'start_after': 'logits'}, 'no layer lies between'),
    ):
        module = models.SqueezeNet(**fields)
        with pytest.raises(ValueError, match=message):
            module.init(jax.random.key(0), x, train=False)
    for module, message in (
        (models.ResNet(depth=20), r'depth=20: choose from \[18, 34, 50, 101\]'),
        (models.ResNet(output_stride=4), 'output_stride=4 is not 8, 16 or 32'),
        (models.CifarResNet(depth=21), r'depth=21 is not 6 n \+ 2'),
        (models.VGG(depth=11), r'depth=11: choose from \[16, 19\]'),
        (models.ViT(pool='max'), "pool='max' is not class or mean"),
        (models.ViT(heads=5), 'width=768 is no multiple of heads=5'),
        (models.ViT(), 'images of 8x8 are smaller than a patch of 16x16'),
    ):
        with pytest.raises(ValueError, match=message):
            module.init(jax.random.key(0), x, train=False)


@pytest.mark.parametrize('depth', [18, 50])
def test_a_dilated_map_holds_the_strided_one(depth):
    """As every second or fourth position, with the same parameters."""
    strided = models.ResNet(
        depth=depth, start_after='block2_2', end_at='block4_1', norm=None
    )
    if depth == 50:
        strided = strided.clone(start_after='block2_4')
    x = _images(8, 1, 128 if depth == 18 else 512)
    _, shapes, _ = _trace(strided, *x.shape)

    @_quick
    def maps(variables, x):
        nets = [strided.clone(output_stride=stride) for stride in (32, 16, 8)]
        return [net.apply(variables, x, train=False)[0] for net in nets]

    small, middle, large = maps(_drawn(shapes), x)
    assert (small.shape[1], middle.shape[1], large.shape[1]) == (2, 4, 8)
    scale = np.abs(small).max()
    for actual in (middle[:, ::2, ::2], large[:, ::4, ::4]):
        np.testing.assert_allclose(actual, small, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize('build, side', [(models.AlexNet, 6), (models.VGG, 7)])
def test_the_convolutional_form_is_the_dense_one(build, side):
    dense = build(classes=3, hidden=8, start_after='pool5')
    convolutional = dense.clone(convolutional=True)
    x = np.abs(_images(side, 2, 512 if build is models.VGG else 256))
    params = _drawn(_trace(dense, *x.shape)[1])['params']
    converted = weights.as_convolutions(params, side)
    shapes = _trace(convolutional, *x.shape)[1]['params']
    assert jax.tree.map(np.shape, converted) == jax.tree.map(np.shape, shapes)

    @_quick
    def both(params, converted, x, larger):
        one, _ = dense.apply({'params': params}, x, train=False)
        other, _ = convolutional.apply({'params': converted}, x, train=False)
        everywhere, _ = convolutional.apply({'params': converted}, larger, train=False)
        return one, other, everywhere

    larger = np.pad(x, ((0, 0), (1, 2), (3, 0), (0, 0)))
    one, other, everywhere = both(params, converted, x, larger)
    assert other.shape == (2, 1, 1, 3)
    np.testing.assert_allclose(other[:, 0, 0], one, rtol=1e-5, atol=1e-5)
    assert everywhere.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(everywhere[:, 1, 3], one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('same', [True, False])
def test_mobilenets_pad_as_tensorflow_or_pytorch(same):
    """A unit kernel at the centre reads position 2 i + 1 of an even image, or 2 i."""
    x = _images(6, 1)
    module = models.MobileNetV1(end_at='conv1', norm=None, same=same)
    kernel = np.zeros((3, 3, 3, 32), np.float32)
    kernel[1, 1, 0, 0] = 1
    params = {'conv1': {'conv': {'kernel': kernel, 'bias': np.zeros(32, np.float32)}}}
    y, _ = module.apply({'params': params}, x, train=False)
    first = 1 if same else 0
    expected = np.clip(x[:, first::2, first::2, 0], 0, 6)
    np.testing.assert_array_equal(y[..., 0], expected)


def test_norm_is_told_its_epsilon_where_the_network_has_its_own():
    options = []

    def norm(name, **fields):
        options.append(fields)
        return models.BatchNorm(name=name, **fields)

    for module in (models.MobileNetV1, models.MobileNetV2, models.GoogLeNet):
        _trace(module(end_at='conv1', norm=norm), 1, 8, 8, 3)
    assert options == [{'epsilon': 1e-3}, {}, {'epsilon': 1e-3}]


def test_the_epsilon_of_google_s_efficientnet():
    options = []

    def norm(name, **fields):
        options.append(fields)
        return models.BatchNorm(name=name, **fields)

    for epsilon in (None, 1e-3):
        module = models.EfficientNet(end_at='conv1', norm=norm, epsilon=epsilon)
        _trace(module, 1, 8, 8, 3)
    assert options == [{}, {'epsilon': 1e-3}]


def test_statistics_move_in_training():
    module = models.MobileNetV1(end_at='block1')
    x = _images(8)
    variables = _drawn(_trace(module, *x.shape)[1])
    train = functools.partial(module.apply, train=True, mutable=['batch_stats'])
    _, moved = _quick(train)(variables, x)
    spreads = jax.tree.leaves(jax.tree.map(np.std, moved))
    assert len(spreads) == 6 and min(spreads) > 0  # they were all ones


def test_dropout_is_on_in_training_only():
    head = models.AlexNet(classes=3, hidden=8, start_after='fc6')
    x = np.ones((1, 8), np.float32)
    variables = _drawn(_trace(head, *x.shape)[1])

    def draw(train):
        def one(seed):
            rngs = {'dropout': jax.random.key(seed)}
            return head.apply(variables, x, train=train, rngs=rngs)[0]

        return _quick(lambda: [one(seed) for seed in range(8)])()

    assert np.ptp(draw(True), 0).min() > 0
    assert np.ptp(draw(False), 0).max() == 0


@pytest.mark.parametrize(
    'module, layer',
    [
        (models.SqueezeNet(classes=3), 'fire5'),
        (models.EfficientNet(classes=3), 'block5'),
        (models.ConvNeXt(classes=3), 'block2_1'),
        (models.ViT(classes=3, patch=8, width=8, heads=2, layer_scale=1.0), 'block2'),
        (models.ViT(classes=3, patch=8, width=8, heads=2, pre_norm=True), 'block2'),
    ],
)
def test_computation_in_bfloat16_ends_in_float32(module, layer):
    module = module.clone(dtype=jnp.bfloat16)
    (output, taps), variables, _ = _trace(module, 1, 32, 32, 3)
    assert output.dtype == jnp.float32
    assert taps[layer].dtype == jnp.bfloat16
    assert {x.dtype for x in jax.tree.leaves(variables)} == {np.dtype('float32')}


TINY_VIT = {'classes': 0, 'patch': 4, 'width': 8, 'heads': 2, 'depth': 2, 'grid': 2}


def test_a_map_of_a_vit_holds_patches_and_the_class_token():
    """Swapped patches swap in the map, and the class token is the same everywhere."""
    module = models.ViT(**TINY_VIT)
    x = _images(8, 1)
    variables = _drawn(_trace(module, *x.shape)[1])
    positions = variables['params']['patches']['positions']
    positions[1:] = positions[1]  # so that order does not matter
    swapped = np.concatenate([x[:, 4:], x[:, :4]], 1)
    apply = _quick(functools.partial(module.apply, train=False))
    (vector, taps), (_, other) = (apply(variables, image) for image in (x, swapped))
    for layer in ('patches', 'block1', 'block2', 'norm'):
        patches, token = np.split(np.asarray(taps[layer]), 2, -1)
        assert patches.shape == (1, 2, 2, 8)
        assert np.ptp(token, (1, 2)).max() == 0
        flipped, same = np.split(np.asarray(other[layer]), 2, -1)
        np.testing.assert_allclose(flipped[:, ::-1], patches, atol=1e-5)
        np.testing.assert_allclose(same, token, atol=1e-5)
    np.testing.assert_array_equal(vector, token[:, 0, 0])
    np.testing.assert_array_equal(vector, taps['class_token'])


def test_a_vit_reads_other_sizes_and_leaves_out_what_fills_no_patch():
    module = models.ViT(**TINY_VIT)
    x = _images(14, 1)
    variables = _drawn(_trace(module, *x.shape)[1])
    apply = _quick(functools.partial(module.apply, train=False))
    (vector, taps), (same, _) = (apply(variables, i) for i in (x, x[:, :12, :12]))
    assert taps['block2'].shape == (1, 3, 3, 16)
    np.testing.assert_array_equal(vector, same)
    positions = variables['params']['patches']['positions']
    # Between two positions the cubic kernel of Keys (a = -1/2) weighs them equally.
    zero = jax.tree.map(np.zeros_like, variables)
    zero['params']['patches']['positions'] = positions
    _, taps = apply(zero, x)
    first = np.asarray(taps['patches'])[0, ..., :8]
    np.testing.assert_allclose(first[1, 1], positions[1:].mean(0), atol=1e-6)


def test_layer_norm():
    x = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]], np.float32)
    params = {'scale': np.array([1.0, 2.0, 1.0]), 'shift': np.array([0.0, 0.0, 1.0])}
    y = layers.LayerNorm(epsilon=1.0).apply({'params': params}, x)
    root = (14 / 3 + 1) ** 0.5  # the variance is 14/3
    np.testing.assert_allclose(y[0], [-2 / root, -2 / root, 1 + 3 / root], rtol=1e-6)
    np.testing.assert_array_equal(y[1], [0, 0, 1])


@pytest.mark.parametrize(
    'module, layers',
    [
        (models.ViT(**TINY_VIT), ('patches', 'block1')),
        (models.ConvNeXt(classes=0, end_at='block1_1'), ('stem',)),
    ],
)
def test_layers_are_frozen_by_rules_on_paths(module, layers):
    x = jnp.asarray(_images(8))
    variables = _drawn(_trace(module, *x.shape)[1])
    tx = optim.freeze(optim.sgd(0.1), [f'{layer}/.*' for layer in layers])
    state = tx.init(variables['params'])

    @_quick
    def update(params, state):
        def loss(params):
            y = module.apply({'params': params}, x, train=False)[0]
            return jnp.mean(y * jnp.linspace(-1, 1, y.size).reshape(y.shape))

        updates, _ = tx.update(jax.grad(loss)(params), state, params, step=0)
        return updates

    moved = jax.tree.map(
        lambda u: float(abs(u).max()), update(variables['params'], state)
    )
    for layer, leaves in moved.items():
        largest = max(jax.tree.leaves(leaves))
        assert (largest == 0) == (layer in layers), layer


def test_average():
    x = np.arange(24.0).reshape(1, 2, 4, 3)
    np.testing.assert_allclose(layers.average(x), [[10.5, 11.5, 12.5]])


def test_blocks_computed_again_keep_less_and_have_the_same_gradients():
    images = _images(32)

    def of(remat):
        module = models.CifarResNet(classes=5, depth=8, remat=remat)
        variables = module.init(jax.random.key(0), images, train=False)

        def loss(params):
            given = {**variables, 'params': params}
            (logits, _), moved = module.apply(
                given, images, train=True, mutable=['batch_stats']
            )
            return jnp.sum(jnp.square(logits)), moved

        gradient = jax.grad(loss, has_aux=True)
        saved = jax.vjp(lambda p: loss(p)[0], variables['params'])[1]
        size = sum(leaf.size for leaf in jax.tree.leaves(saved))
        return _quick(gradient)(variables['params']), size

    (plain, large), (again, small) = of(False), of(True)
    assert small < 0.7 * large
    for a, b in zip(*map(jax.tree.leaves, (plain, again)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
