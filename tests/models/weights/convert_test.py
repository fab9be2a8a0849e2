"""Names and layouts of files, and filling a network or raising one clear error."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import models, tree
from transfer_jax.models import weights
from transfer_jax.models.weights import mappings

MAPPING = weights.MAPPINGS['resnet20_cifar']


def _shapes(module, size=32, channels=3):
    image = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
    init = functools.partial(module.init, train=False)
    return jax.eval_shape(init, jax.random.key(0), image)


@functools.cache
def _file():
    """A file of ResNet-20 with PyTorch's names and shapes and drawn values."""
    rng = np.random.default_rng(0)
    named = {}
    for layer, path in MAPPING.layers.items():
        stage = int(layer[5]) if layer.startswith('layer') else 1
        c = 16 * 2 ** (stage - 1)
        if path.endswith('norm'):
            for leaf in ('weight', 'bias', 'running_mean', 'running_var'):
                named[f'module.{layer}.{leaf}'] = rng.normal(size=c)
            named[f'module.{layer}.num_batches_tracked'] = np.array(7)
        elif path.endswith('conv'):
            before = c // 2 if layer.endswith('0.conv1') and stage > 1 else c
            before = 3 if layer == 'conv1' else before
            named[f'module.{layer}.weight'] = rng.normal(size=(c, before, 3, 3))
    named['module.linear.weight'] = rng.normal(size=(10, 64))
    named['module.linear.bias'] = rng.normal(size=10)
    return named


def test_names_and_layouts():
    named = _file()
    params, state = weights.convert(named, _shapes(models.CifarResNet()), MAPPING)
    assert set(state) == {'batch_stats'}
    block, theirs = params['block2_1'], named['module.layer2.0.conv1.weight']
    np.testing.assert_array_equal(
        block['conv1']['conv']['kernel'][1, 2, 3, 4], np.float32(theirs[4, 3, 1, 2])
    )
    assert params['logits']['kernel'].shape == (64, 10)
    np.testing.assert_array_equal(
        params['logits']['kernel'], np.float32(named['module.linear.weight'].T)
    )
    norm = 'module.layer2.0.bn2.'
    statistics = state['batch_stats']['block2_1']['conv2']['norm']
    for actual, leaf in (
        (block['conv2']['norm']['scale'], 'weight'),
        (block['conv2']['norm']['shift'], 'bias'),
        (statistics['mean'][0], 'running_mean'),
        (statistics['variance'][0], 'running_var'),
    ):
        np.testing.assert_array_equal(actual, np.float32(named[norm + leaf]))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves((params, state)))


def test_the_prefix_may_be_absent_and_our_own_names_are_read():
    named, shapes = _file(), _shapes(models.CifarResNet())
    expected = weights.convert(named, shapes, MAPPING)
    bare = {name.removeprefix('module.'): array for name, array in named.items()}
    renamed = weights.rename(named, MAPPING)
    for other in (bare, renamed):
        same = weights.convert(other, shapes, MAPPING)
        jax.tree.map(np.testing.assert_array_equal, same, expected)


def test_statistics_go_to_every_domain():
    norm = functools.partial(models.BatchNorm, domains=2, separate_affine=True)
    module = models.CifarResNet(norm=norm)
    params, state = weights.convert(_file(), _shapes(module), MAPPING)
    for actual, leaf in (
        (params['conv1']['norm']['scale'], 'weight'),
        (state['batch_stats']['conv1']['norm']['mean'], 'running_mean'),
    ):
        assert actual.shape == (2, 16)
        np.testing.assert_array_equal(
            actual, np.float32([_file()[f'module.bn1.{leaf}']] * 2)
        )


@pytest.mark.parametrize(
    'fields, channels, layers',
    [
        ({'classes': 0, 'start_after': 'block3_1'}, 64, {'block3_2', 'block3_3'}),
        ({'end_at': 'block1_1'}, 3, {'conv1', 'block1_1'}),
        ({'start_after': 'block3_2'}, 64, {'block3_3', 'logits'}),
    ],
)
def test_parts_take_their_layers_only(fields, channels, layers):
    shapes = _shapes(models.CifarResNet(**fields), 8, channels)
    params, state = weights.convert(_file(), shapes, MAPPING)
    assert set(params) == layers
    actual = jax.tree.map(np.shape, {'params': params, **state})
    assert actual == jax.tree.map(lambda leaf: leaf.shape, shapes)


def test_a_skipped_layer_keeps_its_value():
    shapes = _shapes(models.CifarResNet(classes=4))
    variables = jax.tree.map(lambda leaf: np.full(leaf.shape, 5.0), shapes)
    params, _ = weights.convert(_file(), variables, MAPPING, skip=('logits',))
    np.testing.assert_array_equal(params['logits']['kernel'], np.full((64, 4), 5.0))
    np.testing.assert_array_equal(
        params['block1_1']['conv1']['norm']['scale'],
        np.float32(_file()['module.layer1.0.bn1.weight']),
    )
    with pytest.raises(
        ValueError, match=r"skip: no layer 'fc'; choose from .*'logits'"
    ):
        weights.convert(_file(), variables, MAPPING, skip=('fc',))
    with pytest.raises(ValueError, match=r'params/logits/\w+ has shape \(.*10,?\)'):
        weights.convert(_file(), variables, MAPPING)


@pytest.mark.parametrize(
    'change, message',
    [
        ({'module.layer1.0.bn2.running_var': None}, 'nothing for batch_stats/block1_1'),
        ({'module.linear.weight': None, 'module.linear.bias': None}, 'for linear'),
        (
            {'module.layer9.0.conv1.weight': np.ones(3)},
            'unknown names module.layer9',
        ),
        ({'module.conv1.bias': np.ones(16)}, 'unknown names params/conv1/conv/bias'),
        ({'module.conv1.wait': np.ones(16)}, 'unknown names module.conv1.wait'),
        ({'module.projector.0.weight': np.ones((2, 2))}, 'Leave arrays of other heads'),
        (
            {'module.bn1.bias': np.ones(8)},
            r'norm/shift has shape \(8,\).*not \(16',
        ),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    named = {k: v for k, v in {**_file(), **change}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        weights.convert(named, _shapes(models.CifarResNet()), MAPPING)


def test_another_architecture_is_one_short_line():
    with pytest.raises(ValueError) as error:
        weights.rename(_file(), weights.MAPPINGS['vgg16'])
    text = str(error.value)
    assert text.startswith('these are not the weights of vgg16: unknown names module')
    assert ' more; nothing for features.0' in text
    assert len(text) < 400


def test_fitting_finds_the_architecture():
    assert weights.fitting(_file()) == ['resnet20_cifar']
    assert weights.fitting({}) == []


def test_the_map_before_fc6_is_flattened_as_ours():
    """A dense layer on a flattened map gives PyTorch's output, in order c, h, w."""
    mapping = mappings.Mapping(
        'net', mappings.PYTORCH, {'classifier.0': 'fc6'}, {'fc6': (2, 3)}
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 2, 3, 4))  # NHWC
    theirs = rng.normal(size=(7, 4 * 2 * 3))
    expected = x.transpose(0, 3, 1, 2).reshape(5, -1) @ theirs.T
    name, ours = mapping.translate('classifier.0.weight', theirs)
    assert name == 'params/fc6/kernel'
    np.testing.assert_allclose(x.reshape(5, -1) @ ours, expected, rtol=1e-5, atol=1e-5)


def test_keras_depthwise_kernels():
    theirs = np.arange(18).reshape(3, 3, 2, 1)
    mapping = weights.MAPPINGS['mobilenet_v1']
    name, ours = mapping.translate('conv_dw_1/depthwise_kernel', theirs)
    assert name == 'params/block1/depthwise/conv/kernel'
    np.testing.assert_array_equal(ours, theirs.reshape(3, 3, 1, 2))


def test_a_1x1_convolution_serves_a_dense_layer():
    shapes = _shapes(models.CifarResNet())
    named = weights.rename(_file(), MAPPING)
    kernel = named['params/logits/kernel']
    named['params/logits/kernel'] = kernel[None, None]
    params, _ = weights.convert(named, shapes, MAPPING)
    np.testing.assert_array_equal(params['logits']['kernel'], kernel)


@pytest.mark.parametrize(
    'name, module',
    [
        ('squeezenet', models.SqueezeNet()),
        ('mobilenet_v1', models.MobileNetV1()),
        ('mobilenet_v2', models.MobileNetV2()),
        ('mobilenet_v2_folded', models.MobileNetV2(norm=None)),
        ('resnet56_cifar', models.CifarResNet(depth=56)),
        ('alexnet', models.AlexNet()),
        ('vgg16', models.VGG()),
        ('vgg19', models.VGG(depth=19)),
        ('googlenet', models.GoogLeNet()),
        ('resnet18', models.ResNet(depth=18)),
        ('resnet34', models.ResNet(depth=34)),
        ('resnet50', models.ResNet(depth=50)),
        ('resnet101', models.ResNet(depth=101)),
        ('zfnet', models.ZFNet()),
        ('efficientnet_b0', models.EfficientNet()),
        ('convnext_tiny', models.ConvNeXt()),
        ('vit', models.ViT(width=384, heads=6, pre_norm=True, layer_scale=1.0)),
        ('deeplab_v2', models.DeepLab(auxiliary=True)),
        ('vit_clip', models.ViT(pre_norm=True, embedding=512, classes=0)),
    ],
)
def test_a_mapping_names_every_layer_of_its_network(name, module):
    params = _shapes(module, 64)['params']
    mapping = weights.MAPPINGS[name]
    arrays = set(mapping.arrays.values())
    paths = set(tree.paths(params))
    assert arrays <= paths
    ours = {path.rpartition('/')[0] for path in paths - arrays}
    assert ours == set(mapping.layers.values())


@pytest.mark.parametrize(
    'name, examples',
    [
        (
            'mobilenet_v2',
            {
                'blocks.0.0.conv_pw': 'block1/project/conv',
                'blocks.1.0.conv_pwl': 'block2/project/conv',
                'blocks.6.0.bn2': 'block17/depthwise/norm',
            },
        ),
        (
            'efficientnet_b0',
            {
                'blocks.0.0.conv_pw': 'block1/project/conv',
                'blocks.0.0.bn2': 'block1/project/norm',
                'blocks.0.0.se.conv_reduce': 'block1/squeeze',
                'blocks.6.0.bn3': 'block16/project/norm',
                'blocks.6.0.se.conv_expand': 'block16/excite',
            },
        ),
        (
            'convnext_tiny',
            {
                'stem.1': 'stem/norm',
                'stages.1.downsample.0': 'down2/norm',
                'stages.2.blocks.8.mlp.fc2': 'block3_9/project',
                'head.norm': 'norm',
            },
        ),
        ('vgg16', {'pre_logits.fc1': 'fc6', 'head.fc': 'logits'}),
        ('vgg19', {'features.34': 'conv5_4/conv'}),
    ],
)
def test_the_names_of_timm(name, examples):
    """As many layers as torchvision's, each under timm's name."""
    theirs = weights.MAPPINGS[f'{name}_timm'].layers
    torchvision = weights.MAPPINGS[name]
    assert sorted(theirs.values()) == sorted(torchvision.layers.values())
    arrays = weights.MAPPINGS[f'{name}_timm'].arrays
    assert list(arrays.values()) == list(torchvision.arrays.values())
    for layer, ours in examples.items():
        assert theirs[layer] == ours


def test_a_dense_layer_kept_as_a_convolution_is_flattened_as_ours():
    """timm's (k, c, h, w) becomes rows in the order (h, w, c)."""
    mapping = weights.MAPPINGS['vgg16_timm']
    kernel = np.arange(2 * 3 * 7 * 7, dtype=np.float32).reshape(2, 3, 7, 7)
    _, ours = mapping.translate('pre_logits.fc1.weight', kernel)
    flat = ours.reshape(7 * 7 * 3, 2)  # as convert fits it to a dense layer
    np.testing.assert_array_equal(flat[(1 * 7 + 2) * 3 + 1], kernel[:, 1, 1, 2])
