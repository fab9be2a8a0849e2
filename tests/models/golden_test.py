"""Backbones answer as their PyTorch references, filled by the maps of names.

`python -m tools.golden` wrote the files beside this test; PyTorch is not needed here.
Weights and images are drawn (drawn.py), so a wrong layout, padding, epsilon or order of
layers shows in the logits, and the taps tell where it begins.
"""

import functools
import json
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.models import drawn
from transfer_jax import models
from transfer_jax.models import vgg, weights
from transfer_jax.recipes import backbones

FOLDER = pathlib.Path(__file__).parent / 'golden'
TOLERANCE = 1e-4  # relative to the logits' range, and to each norm


class Ours(NamedTuple):
    """The network of an architecture, for the mapping of its checkpoint's names."""

    module: Callable[..., nn.Module]
    mapping: str
    layers: dict[str, str]  # {layer of the reference: ours}
    measure: Callable = jnp.linalg.norm  # of an activation


def _blocks(theirs, ours, numbers):
    return {theirs.format(i): ours.format(i) for i in numbers}


def _vgg(depth):
    stages = vgg.DEPTHS[depth]
    ends = np.cumsum([2 * count + 1 for count in stages]) - 1
    layers = {f'features.{end}': f'pool{i}' for i, end in enumerate(ends, 1)}
    layers |= {'classifier.1': 'fc6', 'classifier.4': 'fc7'}
    return Ours(functools.partial(models.VGG, depth=depth), f'vgg{depth}', layers)


def _resnet(depth, count, build=models.ResNet, suffix=''):
    layers = {f'layer{i}': f'block{i}_{n}' for i, n in enumerate(count, 1)}
    layers |= {} if suffix else {'maxpool': 'pool1'}
    module = functools.partial(build, depth=depth)
    return Ours(module, f'resnet{depth}{suffix}', layers)


def _cifar(depth):
    return _resnet(depth, ((depth - 2) // 6,) * 3, models.CifarResNet, '_cifar')


def _mobilenet_v2(same):
    layers = _blocks('features.{}', 'block{}', (1, 3, 7, 14))
    layers |= {'features.0': 'conv1', 'features.18': 'conv2'}
    module = functools.partial(models.MobileNetV2, same=same)
    return Ours(module, 'mobilenet_v2', layers)


def _five_convolutions(build, name):
    layers = {'features.7': 'conv3', 'features.9': 'conv4'}
    layers |= {'classifier.2': 'fc6', 'classifier.5': 'fc7'}
    return Ours(build, name, POOLS | layers)


def _convnext():
    layers = {'features.0': 'stem'}
    layers |= {f'features.{2 * i - 2}': f'down{i}' for i in (2, 3, 4)}
    blocks = enumerate((3, 3, 9, 3), 1)
    layers |= {f'features.{2 * i - 1}': f'block{i}_{n}' for i, n in blocks}
    return Ours(models.ConvNeXt, 'convnext_tiny', layers)


def _vit(row, layers, blocks):
    layers |= {f'{blocks}.{i}': f'block{i + 1}' for i in (0, 5, 11)}
    chosen = backbones.PRETRAINED[row]
    return Ours(chosen.module, chosen.mapping.name, layers, _of_tokens)


def _of_tokens(x):
    """The norm of the tokens in a map (n, h, w, 2 d), or of vectors (n, d)."""
    if x.ndim == 2:
        return jnp.linalg.norm(x)
    patches, token = jnp.split(x, 2, -1)
    return jnp.hypot(jnp.linalg.norm(patches), jnp.linalg.norm(token[:, 0, 0]))


FIRES = {'features.1': 'conv1', 'features.4': 'fire3', 'features.7': 'fire5'}
POOLS = {'features.2': 'pool1', 'features.5': 'pool2', 'features.12': 'pool5'}
INCEPTIONS = ('conv1', 'conv3', *(f'inception{b}' for b in ('3b', '4a', '4e', '5b')))
STAGES = 'conv1 block1 block3 block5 block8 block11 block15 block16 conv2'.split()
NETWORKS = {
    'alexnet': _five_convolutions(models.AlexNet, 'alexnet'),
    'zfnet': _five_convolutions(models.ZFNet, 'zfnet'),
    'googlenet': Ours(models.GoogLeNet, 'googlenet', {i: i for i in INCEPTIONS}),
    'mobilenet_v1': Ours(
        functools.partial(models.MobileNetV1, width=0.75),
        'mobilenet_v1',
        {'conv1_relu': 'conv1'}
        | _blocks('conv_pw_{}_relu', 'block{}', (1, 3, 5, 11, 13)),
    ),
    'mobilenet_v2': _mobilenet_v2(same=False),
    'mobilenet_v2_same': _mobilenet_v2(same=True),
    'resnet18': _resnet(18, (2, 2, 2, 2)),
    'resnet34': _resnet(34, (3, 4, 6, 3)),
    'resnet50': _resnet(50, (3, 4, 6, 3)),
    'resnet101': _resnet(101, (3, 4, 23, 3)),
    'efficientnet_b0': Ours(
        models.EfficientNet,
        'efficientnet_b0',
        dict(zip(map('features.{}'.format, range(9)), STAGES, strict=True)),
    ),
    'convnext_tiny': _convnext(),
    'vit_small': _vit('vit_small', {'norm': 'norm'}, 'blocks'),
    'vit_base': _vit('vit_base', {'norm': 'norm'}, 'blocks'),
    'vit_base_clip': _vit(
        'vit_base_clip', {'ln_post': 'class_token'}, 'transformer.resblocks'
    ),
    'deeplab_v2': Ours(
        functools.partial(models.DeepLab, auxiliary=True),
        'deeplab_v2',
        {f'layer{i}': f'block{i}_{n}' for i, n in enumerate((3, 4, 23, 3), 1)}
        | {'maxpool': 'pool1', 'layer5': 'auxiliary', 'layer6': 'scores'},
    ),
    'resnet20_cifar': _cifar(20),
    'resnet32_cifar': _cifar(32),
    'resnet56_cifar': _cifar(56),
    'squeezenet': Ours(
        models.SqueezeNet,
        'squeezenet',
        FIRES | {'features.10': 'fire7', 'features.12': 'fire9'},
    ),
    'vgg16': _vgg(16),
    'vgg19': _vgg(19),
}
# They share their code with another, or have more than 60 million parameters.
HEAVY = ('resnet34', 'resnet101', 'resnet32_cifar', 'resnet56_cifar', 'vgg16', 'vgg19')
HEAVY += ('deeplab_v2', 'zfnet', 'vit_base', 'vit_base_clip')


def _golden(name):
    return json.loads((FOLDER / f'{name}.json').read_text())


def test_every_reference_has_its_network():
    assert {file.stem for file in FOLDER.glob('*.json')} == set(NETWORKS)


@pytest.mark.parametrize(
    'name',
    [pytest.param(n, marks=[pytest.mark.slow] * (n in HEAVY)) for n in NETWORKS],
)
def test_the_network_answers_as_its_reference(name):
    build, mapping, layers, measure = NETWORKS[name]
    golden, module = _golden(name), build()
    named = drawn.tensors(golden['seed'], golden['tensors'], golden['gain'])

    # Compiled with few optimisations, which takes half the time.
    @functools.partial(jax.jit, compiler_options={'xla_backend_optimization_level': 0})
    def forward(variables, x):
        logits, taps = module.apply(variables, x, train=False)
        return logits.reshape(len(x), -1), {
            theirs: measure(taps[ours]) for theirs, ours in layers.items()
        }

    variables = None
    for case in golden['cases']:
        images = drawn.images(golden['seed'], case['images'])
        if variables is None:
            init = functools.partial(module.init, train=False)
            shapes = jax.eval_shape(init, jax.random.key(0), images)
            params, rest = weights.convert(named, shapes, weights.MAPPINGS[mapping])
            variables = {'params': params, **rest}
        logits, norms = jax.device_get(forward(variables, images))
        assert set(norms) == set(case['norms'])
        for layer, norm in case['norms'].items():  # the first that differs
            np.testing.assert_allclose(
                norms[layer], norm, rtol=TOLERANCE, err_msg=layer
            )
        expected = np.array(case['logits'])
        np.testing.assert_allclose(
            logits[:, :: case['every']],
            expected,
            rtol=0,
            atol=TOLERANCE * expected.std(),
        )
        np.testing.assert_allclose(np.linalg.norm(logits), case['norm'], rtol=TOLERANCE)
