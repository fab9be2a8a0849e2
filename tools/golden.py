"""Write outputs of the PyTorch references: tests/models/golden/<architecture>.json.

    python -m tools.golden [architecture ...]

A file holds the names and shapes of the checkpoint's tensors, the seed from which they
are drawn (tests/models/drawn.py), and, for each shape of images, some logits and the
norms of some layers' outputs. tests/models/golden_test.py compares our networks with
them.
"""

import functools
import json
import pathlib
import re
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from tests.models import drawn
from tools import torch_mobile, torch_reference, torch_segmentation, torch_transformers

FOLDER = pathlib.Path(__file__).parents[1] / 'tests' / 'models' / 'golden'
SEED = 7
LOGITS = 25  # evenly spaced ones of each image


class Reference(NamedTuple):
    """A network and what is recorded of it."""

    module: Callable[[], torch.nn.Module]
    shapes: tuple[tuple[int, ...], ...]  # of images, (n, h, w, 3)
    layers: tuple[str, ...]  # layers whose outputs are recorded
    gain: float = 1.0  # of the norms' scales; keeps outputs of unit size
    prefix: str = ''  # of the names in the checkpoint
    keras: bool = False  # whether the checkpoint has Keras's names and axes
    counts: bool = True  # whether num_batches_tracked is in the checkpoint


SMALL, LARGE = (2, 64, 75, 3), (1, 224, 224, 3)
STAGES = ('layer1', 'layer2', 'layer3', 'layer4')


def _vgg(*counts):
    ends = np.cumsum([2 * count + 1 for count in counts]) - 1
    layers = (*(f'features.{end}' for end in ends), 'classifier.1', 'classifier.4')
    module = functools.partial(torch_reference.vgg, *counts)
    return Reference(module, ((1, 64, 75, 3), LARGE), layers)


def _resnet(*counts, deep=False):
    module = functools.partial(torch_reference.ResNet, counts, deep)
    return Reference(module, (SMALL,), ('maxpool', *STAGES), gain=0.7)


def _cifar(n):
    module = functools.partial(torch_reference.CifarResNet, n)
    shapes = ((2, 32, 32, 3),)
    return Reference(
        module, shapes, STAGES[:3], gain=0.6, prefix='module.', counts=False
    )


def _mobile(same):
    module = functools.partial(torch_mobile.MobileNetV2, same)
    layers = tuple(f'features.{i}' for i in (0, 1, 3, 7, 14, 18))
    return Reference(module, (SMALL,), layers)


def _five_convolutions(module):
    layers = tuple(f'features.{i}' for i in (2, 5, 7, 9, 12))
    layers += ('classifier.2', 'classifier.5')
    return Reference(module, ((1, 96, 107, 3), LARGE), layers)


def _vit(width, heads):
    module = functools.partial(torch_transformers.ViT, width, heads)
    shapes = ((2, 64, 80, 3), LARGE)
    return Reference(module, shapes, ('blocks.0', 'blocks.5', 'blocks.11', 'norm'))


REFERENCES = {
    'alexnet': _five_convolutions(torch_reference.alexnet),
    'zfnet': _five_convolutions(torch_reference.zfnet),
    'vgg16': _vgg(2, 2, 3, 3, 3),
    'vgg19': _vgg(2, 2, 4, 4, 4),
    'googlenet': Reference(
        torch_reference.GoogLeNet,
        (SMALL,),
        ('conv1', 'conv3', 'inception3b', 'inception4a', 'inception4e', 'inception5b'),
    ),
    'resnet18': _resnet(2, 2, 2, 2),
    'resnet34': _resnet(3, 4, 6, 3),
    'resnet50': _resnet(3, 4, 6, 3, deep=True),
    'resnet101': _resnet(3, 4, 23, 3, deep=True),
    'mobilenet_v1': Reference(
        torch_mobile.MobileNetV1,
        (SMALL,),
        ('conv1_relu', *(f'conv_pw_{i}_relu' for i in (1, 3, 5, 11, 13))),
        keras=True,
        counts=False,
    ),
    'mobilenet_v2': _mobile(same=False),
    'mobilenet_v2_same': _mobile(same=True),
    'squeezenet': Reference(
        torch_reference.SqueezeNet,
        (SMALL,),
        tuple(f'features.{i}' for i in (1, 4, 7, 10, 12)),
    ),
    'efficientnet_b0': Reference(
        torch_mobile.EfficientNet,
        (SMALL,),
        tuple(f'features.{i}' for i in range(9)),
    ),
    'convnext_tiny': Reference(
        torch_transformers.ConvNeXt,
        ((2, 96, 107, 3),),
        tuple(f'features.{i}' for i in range(8)),
    ),
    'vit_small': _vit(384, 6),
    'vit_base': _vit(768, 12),
    'vit_base_clip': Reference(
        torch_transformers.ClipTower,
        ((2, 64, 80, 3), LARGE),
        (*(f'transformer.resblocks.{i}' for i in (0, 5, 11)), 'ln_post'),
        prefix='visual.',
    ),
    'deeplab_v2': Reference(
        torch_segmentation.DeepLab,
        ((2, 65, 89, 3),),
        ('maxpool', *STAGES, 'layer5', 'layer6'),
        gain=0.7,
    ),
    'resnet20_cifar': _cifar(3),
    'resnet32_cifar': _cifar(5),
    'resnet56_cifar': _cifar(9),
}


def golden(reference: Reference) -> dict:
    """The content of the file of one architecture."""
    module = reference.module().eval()
    to_checkpoint = _keras if reference.keras else _torch
    shapes, tensors = {}, {}
    for torch_name, value in module.state_dict().items():
        if torch_name.endswith('num_batches_tracked') and not reference.counts:
            continue
        name, back, order = to_checkpoint(reference.prefix + torch_name, value)
        shapes[name] = [value.shape[i] for i in order]
        x = drawn.tensor(SEED, name, shapes[name], reference.gain)
        tensors[torch_name] = torch.from_numpy(x.transpose(back) if x.ndim else x)
    module.load_state_dict(tensors, strict=reference.counts)
    return {
        'written_by': 'python -m tools.golden',
        'seed': SEED,
        'gain': reference.gain,
        'tensors': shapes,
        'cases': [_case(module, shape, reference) for shape in reference.shapes],
    }


def _torch(name, value):
    """(name in the checkpoint, order of axes from it to PyTorch, order to it)."""
    order = tuple(range(value.ndim))
    return name, order, order


def _keras(name, value):
    """The same, for the names and axes of keras-applications."""
    layer, kind = name.rsplit('.', 1)
    if value.ndim == 4 and layer.startswith('conv_dw'):
        return f'{layer}/depthwise_kernel', (2, 3, 0, 1), (2, 3, 0, 1)  # (c, 1, h, w)
    if value.ndim == 4:
        return f'{layer}/kernel', (3, 2, 0, 1), (2, 3, 1, 0)
    if not layer.endswith('_bn'):
        return f'{layer}/bias', (0,), (0,)
    names = {
        'weight': 'gamma',
        'bias': 'beta',
        'running_mean': 'moving_mean',
        'running_var': 'moving_variance',
    }
    order = tuple(range(value.ndim))
    return f'{layer}/{names.get(kind, kind)}', order, order


def _case(module, shape, reference):
    norms, hooks = {}, []
    for name, layer in module.named_modules():
        if name in reference.layers:

            def measure(layer, inputs, output, name=name):
                norms[name] = round(float(torch.linalg.vector_norm(output)), 4)

            hooks.append(layer.register_forward_hook(measure))
    images = torch.from_numpy(drawn.images(SEED, shape)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        logits = module(images).numpy()
    for hook in hooks:
        hook.remove()
    assert set(norms) == set(reference.layers), set(reference.layers) - set(norms)
    every = max(1, logits.shape[1] // LOGITS)
    return {
        'images': list(shape),
        'every': every,
        'logits': [[round(float(x), 6) for x in row] for row in logits[:, ::every]],
        'norm': float(np.linalg.norm(logits)),
        'norms': norms,
    }


def main(names: list[str]) -> None:
    """Write the files of the named architectures, or of all if none is named."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or REFERENCES:
        text = json.dumps(golden(REFERENCES[name]), indent=1)
        (FOLDER / f'{name}.json').write_text(_compact(text) + '\n')
        sys.stdout.write(f'{name}\n')


def _compact(text):
    """Innermost lists on one line."""
    return re.sub(
        r'\[\s*([^\[\]{}]*?)\s*\]',
        lambda match: '[' + ' '.join(match[1].split()) + ']',
        text,
    )


if __name__ == '__main__':
    main(sys.argv[1:])
