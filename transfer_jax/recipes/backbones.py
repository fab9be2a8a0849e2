"""Pretrained backbones by name: their files, preprocessing and layers.

docs/transfer.md describes the files; `python -m experiments.weights` inspects and
converts others.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import models
from transfer_jax.data import files
from transfer_jax.models import weights
from transfer_jax.recipes import hub
from transfer_jax.types import PyTree

# Means and standard deviations (of the channels red, green, blue).
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's
HALF = (0.5,) * 3, (0.5,) * 3
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
GOOGLE = (128 / 255,) * 3, (128 / 255,) * 3


class Pretrained(NamedTuple):
    """A network, its weights and its preprocessing.

    Attributes:
      module: builds the network; takes its fields, such as classes or end_at.
      file: path of the weights below the data folder.
      mapping: from the names in the file to ours.
      mean, std: the input is (image / 255 - mean) / std.
      last_map: the last layer with a map (n, h, w, c); of a ViT as models.ViT says.
      origin: where such files are published.
      size: side in pixels of the images that it was trained on.
      classes: number of the classes that it was trained on; 0 for an encoder.
    """

    module: Callable[..., nn.Module]
    file: str
    mapping: weights.Mapping
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    last_map: str
    origin: str
    size: int = 224
    classes: int = 1000

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers in order; the network can be cut at each of them."""
        return layer_names(self.module(), self.size)


def _imagenet(module, mapping, last_map, scale=IMAGENET, **fields):
    """A network of 1,000 classes, trained on images of 224 pixels."""
    row = {'file': f'weights/{mapping}_imagenet.safetensors', 'origin': TORCHVISION}
    row |= fields
    return Pretrained(
        module,
        mapping=weights.MAPPINGS[mapping],
        mean=scale[0],
        std=scale[1],
        last_map=last_map,
        **row,
    )


def _vit(width, name, publisher, classes=1000):
    """A ViT with patches of 16 pixels, named as in timm."""
    fields = {'width': width, 'heads': width // 64}
    fields |= {} if classes else {'classes': 0}
    return _imagenet(
        functools.partial(models.ViT, **fields),
        'vit',
        'norm',
        file=f'weights/{name}_imagenet.safetensors',
        origin=publisher,
        classes=classes,
    )


TORCHVISION = 'torchvision (download.pytorch.org/models)'
PRETRAINED = {
    'squeezenet': _imagenet(
        models.SqueezeNet,
        'squeezenet',
        'fire9',
        file='weights/squeezenet1_1_imagenet.safetensors',
    ),
    'mobilenet_v1': _imagenet(
        functools.partial(models.MobileNetV1, width=0.75),
        'mobilenet_v1',
        'block13',
        HALF,
        file='weights/mobilenet_v1_075_224_imagenet.safetensors',
        origin='Keras applications, MobileNet of width 0.75',
    ),
    'mobilenet_v2': _imagenet(
        functools.partial(models.MobileNetV2, norm=None),
        'mobilenet_v2_folded',
        'conv2',
        GOOGLE,
        file='weights/mobilenet_v2_100_224_imagenet.safetensors',
        origin='TensorFlow Hub, with the batch norm folded into the convolutions',
    ),
    'alexnet': _imagenet(models.AlexNet, 'alexnet', 'pool5'),
    'vgg16': _imagenet(models.VGG, 'vgg16', 'pool5'),
    'vgg19': _imagenet(functools.partial(models.VGG, depth=19), 'vgg19', 'pool5'),
    'googlenet': _imagenet(models.GoogLeNet, 'googlenet', 'inception5b', HALF),
}
PRETRAINED |= {
    f'resnet{depth}': _imagenet(
        functools.partial(models.ResNet, depth=depth), f'resnet{depth}', last_map
    )
    for depth, last_map in (
        (18, 'block4_2'),
        (34, 'block4_3'),
        (50, 'block4_3'),
        (101, 'block4_3'),
    )
}
PRETRAINED |= {
    'zfnet': _imagenet(
        models.ZFNet,
        'zfnet',
        'pool5',
        origin="no one in a standard form: rename a file's layers to those of "
        "torchvision's alexnet",
    ),
    'efficientnet_b0': _imagenet(models.EfficientNet, 'efficientnet_b0', 'conv2'),
    'convnext_tiny': _imagenet(models.ConvNeXt, 'convnext_tiny', 'block4_3'),
    'vit_small': _vit(384, 'vit_small', 'timm or DeiT'),
    'vit_base': _vit(768, 'vit_base', 'timm, DeiT or MAE'),
    'vit_small_dino': _vit(384, 'vit_small_dino', 'DINO', classes=0),
    'vit_base_clip': _imagenet(
        functools.partial(
            models.ViT,
            classes=0,
            epsilon=1e-5,
            activation=models.layers.quick_gelu,
            pre_norm=True,
            embedding=512,
        ),
        'vit_clip',
        'norm',
        CLIP,
        file='weights/vit_base_clip.safetensors',
        origin='OpenAI (github.com/openai/CLIP, ViT-B/16): save its state_dict',
        classes=0,
    ),
}
PRETRAINED |= {
    f'resnet{depth}_cifar': Pretrained(
        functools.partial(models.CifarResNet, depth=depth),
        f'weights/resnet{depth}_cifar10.safetensors',
        weights.MAPPINGS[f'resnet{depth}_cifar'],
        *IMAGENET,
        last_map=f'block3_{(depth - 2) // 6}',
        origin='github.com/akamaster/pytorch_resnet_cifar10',
        size=32,
        classes=10,
    )
    for depth in (20, 32, 56)
}


def get(name: str) -> Pretrained:
    """The backbone of a name: a key of PRETRAINED, or the Hub's, see hub.

    Raises:
      MissingData: a name of the Hub, whose config.json is missing and out of reach.
      ValueError: no such backbone; the message lists them.
    """
    if hub.is_hub(name):
        row, mapping, fields, *rest = hub.describe(name)
        row = PRETRAINED[row]
        module = functools.partial(row.module, **fields)
        names = ('file', 'mean', 'std', 'size', 'classes', 'origin')
        given = dict(zip(names, rest, strict=True))
        return row._replace(module=module, mapping=weights.MAPPINGS[mapping], **given)
    if name not in PRETRAINED:
        raise ValueError(f'no backbone {name!r}; choose from {", ".join(PRETRAINED)}')
    return PRETRAINED[name]


def load(name: str, data_dir: str | None = None) -> tuple[PyTree, PyTree]:
    """(parameters, other collections) of the whole pretrained network, in NumPy.

    Raises:
      MissingData: its file is not in the data folder.
      ValueError: no such backbone, or the file does not fit the network.
    """
    backbone = get(name)
    module = backbone.module(classes=backbone.classes)
    path = locate(name, data_dir)
    arrays = weights.read(path)
    shapes = variable_shapes(module, backbone.size)
    try:
        return weights.convert(arrays, shapes, backbone.mapping)
    except ValueError as error:
        raise ValueError(
            f'{path}: does not have the weights of {name} ({error})'
        ) from None


def locate(name: str, data_dir: str | None = None) -> pathlib.Path:
    """The file of a backbone's weights in the data folders.

    Raises:
      MissingData: none of them has it; the message says where such files are published
        and how to convert one.
      ValueError: a file of the Hub is not the one that was fetched.
    """
    if hub.is_hub(name):
        return hub.locate(name, data_dir)
    backbone = get(name)
    dirs = files.data_dirs(data_dir)
    for folder in dirs:
        if (folder / backbone.file).is_file():
            return folder / backbone.file
    raise files.MissingData(
        f'{backbone.file}, the weights of {name}, is missing under '
        f'{", ".join(map(str, dirs))} (--data-dir, else ${files.VARIABLE}, else '
        f'{files.DEFAULT_DIR}). Such files are published by {backbone.origin}; convert '
        f'one: python -m experiments.weights convert FILE --architecture '
        f'{backbone.mapping.name} --to {dirs[0] / backbone.file}'
    )


def variable_shapes(module: nn.Module, size: int) -> PyTree:
    """Shapes and types of a network's variables, without computing them."""
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    init = functools.partial(module.init, train=False)
    return jax.eval_shape(init, jax.random.key(0), image)


@functools.cache
def layer_names(module: nn.Module, size: int) -> tuple[str, ...]:
    """Names of a network's layers, in order."""
    names = []  # filled while tracing: jax returns dictionaries sorted by key

    def forward(image):
        (_, taps), _ = module.init_with_output(jax.random.key(0), image, train=False)
        names.extend(taps)

    jax.eval_shape(forward, jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32))
    return tuple(names)
