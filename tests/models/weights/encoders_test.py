"""Files of encoders: without a classifier, and with names of modules around them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from transfer_jax import models
from transfer_jax.models import weights
from transfer_jax.models.weights import mappings

BACKBONES = {
    'squeezenet': models.SqueezeNet,
    'mobilenet_v1': models.MobileNetV1,
    'mobilenet_v2': models.MobileNetV2,
    'mobilenet_v2_folded': functools.partial(models.MobileNetV2, norm=None),
    'mobilenet_v2_timm': models.MobileNetV2,
    'resnet20_cifar': models.CifarResNet,
    'alexnet': functools.partial(models.AlexNet, hidden=8),
    'vgg16': functools.partial(models.VGG, hidden=8),
    'vgg19_timm': functools.partial(models.VGG, depth=19, hidden=8),
    'googlenet': models.GoogLeNet,
    'resnet18': functools.partial(models.ResNet, depth=18),
    'resnet50': models.ResNet,
    'resnet101': functools.partial(models.ResNet, depth=101),
    'zfnet': functools.partial(models.ZFNet, hidden=8),
    'efficientnet_b0': models.EfficientNet,
    'efficientnet_b0_timm': models.EfficientNet,
    'convnext_tiny': models.ConvNeXt,
    'convnext_tiny_timm': models.ConvNeXt,
    'vit': functools.partial(models.ViT, width=24, heads=2, layer_scale=1.0),
}
PREFIXES = (
    '',
    'module.',
    'backbone.',
    'model.',
    '_orig_mod.',
    'encoder.',
    'module.encoder_q.',
    'module.base_encoder.',
    'model._orig_mod.backbone.',
)
RESNET = weights.MAPPINGS['resnet20_cifar']


@functools.cache
def _shapes(module):
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    init = functools.partial(module.init, train=False)
    return jax.eval_shape(init, jax.random.key(0), image)


def _file(mapping, variables, prefix=''):
    """A file of the network in the library's names and layouts; leaf i is full of i."""
    paths = {ours: theirs for theirs, ours in mapping.layers.items()}
    arrays = {f'params/{ours}': theirs for theirs, ours in mapping.arrays.items()}
    style, named = mapping.style, {}
    leaves = traverse_util.flatten_dict(variables, sep='/')
    for i, (path, leaf) in enumerate(leaves.items()):
        if path in arrays:
            named[prefix + arrays[path]] = np.broadcast_to(np.float32(i), leaf.shape)
            continue
        collection, _, ours = path.partition('/')
        ours, _, name = ours.rpartition('/')
        names = style.norms if ours.endswith('norm') else style.kernels
        theirs = [
            k for k, v in names.items() if v.format('') == f'{collection}//{name}'
        ]
        if style is mappings.KERAS and name == 'kernel':
            theirs = ['depthwise_kernel' if 'depthwise' in ours else 'kernel']
        shape = leaf.shape[1:] if collection == 'batch_stats' else leaf.shape
        if style is mappings.PYTORCH:
            shape = shape[:1:-1] + shape[:2] if len(shape) == 4 else shape[::-1]
        elif theirs == ['depthwise_kernel']:
            shape = (*shape[:2], shape[3], shape[2])
        key = prefix + paths[ours] + style.separator + theirs[0]
        named[key] = np.broadcast_to(np.float32(i), shape)
    return named


def _without_head(named, mapping):
    heads = [k for k, ours in mapping.layers.items() if ours.startswith('logits')]
    separator = mapping.style.separator
    return {k: v for k, v in named.items() if k.rpartition(separator)[0] not in heads}


@pytest.mark.parametrize('name', BACKBONES)
def test_a_file_without_classifier_fills_an_encoder_of_every_backbone(name):
    mapping, make = weights.MAPPINGS[name], BACKBONES[name]
    whole = _shapes(make(classes=5))
    named = _without_head(_file(mapping, whole), mapping)
    assert len(named) < len(_file(mapping, whole))
    encoder = _shapes(make(classes=0))
    params, rest = weights.convert(named, encoder, mapping, skip=('logits',))
    order = list(traverse_util.flatten_dict(whole, sep='/'))
    filled = traverse_util.flatten_dict({'params': params, **rest}, sep='/')
    assert set(filled) == set(traverse_util.flatten_dict(encoder, sep='/'))
    for path, leaf in filled.items():
        assert leaf.ravel()[0] == leaf.ravel()[-1] == order.index(path), path
    assert name in weights.fitting(named)

    with pytest.raises(ValueError, match=r"classes=0, or skip=\('logits',\)"):
        weights.convert(named, whole, mapping)
    first = jax.tree.map(
        lambda leaf: np.broadcast_to(np.float32(-1), leaf.shape), whole
    )
    params, _ = weights.convert(named, first, mapping, skip=('logits',))
    assert {float(x.max()) for x in jax.tree.leaves(params['logits'])} == {-1.0}


CLIP = models.ViT(classes=0, width=24, heads=2, pre_norm=True, embedding=6)


def test_the_image_tower_of_clip_beside_its_text_tower():
    """Names of both towers' blocks agree below 'visual.'; the text's are left out."""
    mapping = weights.MAPPINGS['vit_clip']
    shapes = _shapes(CLIP)
    named = _file(mapping, shapes, 'visual.')
    for name in [name for name in named if '.attn.weight' in name]:
        named[name.replace('weight', 'in_proj_weight')] = named.pop(name)
        bias = name.replace('weight', 'bias')
        named[bias.replace('bias', 'in_proj_bias')] = named.pop(bias)
    text = {
        name.removeprefix('visual.'): -array
        for name, array in named.items()
        if '.resblocks.' in name
    }
    text |= {
        name: np.zeros(shape, np.float32)
        for name, shape in (
            ('positional_embedding', (77, 8)),
            ('text_projection', (8, 6)),
            ('token_embedding.weight', (100, 8)),
            ('ln_final.weight', (8,)),
            ('logit_scale', ()),
        )
    }
    params, _ = weights.convert({**text, **named}, shapes, mapping)
    order = list(traverse_util.flatten_dict(shapes, sep='/'))
    filled = traverse_util.flatten_dict({'params': params}, sep='/')
    for path, leaf in filled.items():
        assert leaf.min() == leaf.max() == order.index(path), path
    assert weights.fitting({**text, **named}) == ['vit_clip']


@pytest.mark.parametrize(
    'name, module',
    [
        ('vit', models.ViT(width=24, heads=2, layer_scale=1.0)),
        ('vit_clip', CLIP),
        ('convnext_tiny_timm', models.ConvNeXt()),
        ('deeplab_v2', models.DeepLab(auxiliary=True)),
    ],
)
def test_a_converted_file_is_read_as_the_first(name, module):
    mapping, shapes = weights.MAPPINGS[name], _shapes(module)
    named = _file(mapping, shapes)
    converted = weights.rename(named, mapping)
    assert all(path.startswith(('params/', 'batch_stats/')) for path in converted)
    jax.tree.map(
        np.testing.assert_array_equal,
        weights.convert(converted, shapes, mapping),
        weights.convert(named, shapes, mapping),
    )


def test_a_tower_without_projection_fills_the_layers_below():
    mapping = weights.MAPPINGS['vit_clip']
    named = _file(mapping, _shapes(CLIP))
    del named['proj']
    below = CLIP.clone(embedding=0)
    params, _ = weights.convert(named, _shapes(below), mapping)
    assert 'projection' not in params
    with pytest.raises(ValueError, match='no arrays for proj: build .* end_at at a l'):
        weights.convert(named, _shapes(CLIP), mapping)


def test_what_masked_autoencoders_and_moco_add_to_a_vit_is_left_out():
    mapping = weights.MAPPINGS['vit']
    encoder = models.ViT(classes=0, width=24, heads=2)
    expected = _file(mapping, _shapes(encoder))
    zeros = np.zeros((1, 1, 24), np.float32)
    mae = {'mask_token': zeros, 'decoder_pos_embed': zeros}
    mae |= {'decoder_blocks.0.norm1.weight': zeros[0, 0]}
    moco = {f'module.base_encoder.{k}': v for k, v in expected.items()}
    moco |= {f'module.momentum_encoder.{k}': -v for k, v in expected.items()}
    moco['module.base_encoder.head.0.weight'] = zeros[0]
    moco['module.predictor.0.weight'] = zeros[0]
    params, _ = weights.convert(expected, _shapes(encoder), mapping)
    for named in ({**expected, **mae}, moco):
        same, _ = weights.convert(named, _shapes(encoder), mapping)
        jax.tree.map(np.testing.assert_array_equal, same, params)
    averaged = {k.replace('norm.', 'fc_norm.'): v for k, v in expected.items()}
    assert weights.fitting(averaged) == ['vit_mean']
    with pytest.raises(ValueError, match='They fit vit_mean'):
        weights.convert(averaged, _shapes(encoder), mapping)


def test_arrays_of_transformers_have_our_shapes():
    """timm's leading axes of length 1 go, and so do torchvision's trailing ones."""
    mapping = weights.MAPPINGS['vit']
    path, token = mapping.translate('cls_token', np.ones((1, 1, 8)))
    assert (path, token.shape) == ('params/patches/class_token', (8,))
    path, positions = mapping.translate('pos_embed', np.ones((1, 5, 8)))
    assert (path, positions.shape) == ('params/patches/positions', (5, 8))
    mapping = weights.MAPPINGS['convnext_tiny']
    path, scale = mapping.translate('features.1.0.layer_scale', np.ones((96, 1, 1)))
    assert (path, scale.shape) == ('params/block1_1/scale', (96,))
    mapping = weights.MAPPINGS['vit_clip']
    kernel = np.arange(6).reshape(3, 2)  # (width, embedding): no transposition
    path, same = mapping.translate('proj', kernel)
    assert path == 'params/projection/kernel'
    np.testing.assert_array_equal(same, kernel)
    name = 'transformer.resblocks.0.attn.in_proj_weight'
    path, same = mapping.translate(name, kernel)
    assert path == 'params/block1/qkv/kernel'
    np.testing.assert_array_equal(same, kernel.T)


def test_a_file_of_convolutions_alone_fills_a_network_cut_below_fc6():
    mapping, make = weights.MAPPINGS['alexnet'], BACKBONES['alexnet']
    named = _file(mapping, _shapes(make(classes=5)))
    named = {k: v for k, v in named.items() if k.startswith('features')}
    params, _ = weights.convert(named, _shapes(make(end_at='pool5')), mapping)
    assert list(params) == ['conv1', 'conv2', 'conv3', 'conv4', 'conv5']
    with pytest.raises(
        ValueError, match=r'no arrays for classifier.1, classifier.4:.*e'
    ):
        weights.convert(named, _shapes(make(classes=0)), mapping)


@pytest.mark.parametrize('prefix', PREFIXES)
def test_names_of_modules_around_the_network_are_removed(prefix):
    module = models.CifarResNet()
    expected = weights.convert(_file(RESNET, _shapes(module)), _shapes(module), RESNET)
    named = _file(RESNET, _shapes(module), prefix)
    assert weights.fitting(named) == ['resnet20_cifar']
    same = weights.convert(named, _shapes(module), RESNET)
    jax.tree.map(np.testing.assert_array_equal, same, expected)


def test_what_a_self_supervised_learner_adds_is_left_out():
    """MoCo's moving average, queue and projection; the projection is no classifier."""
    encoder, whole = models.CifarResNet(classes=0), models.CifarResNet()
    named = _file(RESNET, _shapes(encoder), 'module.encoder_q.')
    other = _file(RESNET, _shapes(encoder), 'module.encoder_k.')
    head = {'module.encoder_q.linear.0.weight': np.ones((64, 64), np.float32)}
    queue = {'module.queue': np.ones((64, 128), np.float32)}
    file = {**{k: v + 1 for k, v in other.items()}, **named, **head, **queue}
    actual = weights.convert(file, _shapes(encoder), RESNET)
    expected = weights.convert(named, _shapes(encoder), RESNET)
    jax.tree.map(np.testing.assert_array_equal, actual, expected)
    with pytest.raises(ValueError, match='no arrays for linear: .* classes=0'):
        weights.convert(file, _shapes(whole), RESNET)


@pytest.mark.parametrize(
    'prefixes, message',
    [
        (['teacher.net.'], r"below 'teacher.net.': give \{name.removeprefix\('teacher"),
        (['student.', 'teacher.'], "below 'student.' and 'teacher.': give .* one of"),
        (['model.', 'net.'], "below 'model.' and 'net.': give the arrays of one"),
    ],
)
def test_another_prefix_or_two_copies_are_named(prefixes, message):
    shapes = _shapes(models.CifarResNet(classes=0))
    named = {}
    for prefix in prefixes:
        named |= _file(RESNET, shapes, prefix)
    with pytest.raises(ValueError, match=message):
        weights.convert(named, shapes, RESNET)


def test_the_architecture_that_fits_is_named():
    named = _file(RESNET, _shapes(models.CifarResNet(classes=0)), 'backbone.')
    with pytest.raises(
        ValueError, match=r'for layer1.3.*more. They fit resnet20_cifar'
    ):
        weights.rename(named, weights.MAPPINGS['resnet32_cifar'])
