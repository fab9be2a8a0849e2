"""Pretrained backbones: their files, the scale of their inputs, their layers.

The files are described in the README; `python -m experiments.weights` inspects and
converts others.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import models
from transfer_jax.data import files
from transfer_jax.models import weights
from transfer_jax.types import PyTree

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's mean and std
HALF = (0.5,) * 3, (0.5,) * 3
GOOGLE = (128 / 255,) * 3, (128 / 255,) * 3


class Pretrained(NamedTuple):
    """A network and where its weights come from.

    Attributes:
      module: builds it; takes the fields of the network, such as classes or until.
      file: below the data folder.
      mapping: of the names in the file.
      mean, std: the input is (image / 255 - mean) / std.
      size: side of the images it was trained on.
      classes: that it was trained on.
    """

    module: Callable[..., nn.Module]
    file: str
    mapping: weights.Mapping
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int = 224
    classes: int = 1000

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers in order, each a tap and a place to cut."""
        return layer_names(self.module(), self.size)


def _imagenet(module, file, mapping, scale):
    return Pretrained(module, f'weights/{file}', weights.MAPPINGS[mapping], *scale)


PRETRAINED = {
    'squeezenet': _imagenet(
        models.SqueezeNet,
        'squeezenet1_1_imagenet.safetensors',
        'squeezenet',
        IMAGENET,
    ),
    'mobilenet_v1': _imagenet(
        functools.partial(models.MobileNetV1, width=0.75),
        'mobilenet_v1_075_224_imagenet.safetensors',
        'mobilenet_v1',
        HALF,
    ),
    'mobilenet_v2': _imagenet(
        functools.partial(models.MobileNetV2, norm=None),
        'mobilenet_v2_100_224_imagenet.safetensors',
        'mobilenet_v2_folded',
        GOOGLE,
    ),
}
PRETRAINED |= {
    f'resnet{depth}_cifar': Pretrained(
        functools.partial(models.CifarResNet, depth=depth),
        f'weights/resnet{depth}_cifar10.safetensors',
        weights.MAPPINGS[f'resnet{depth}_cifar'],
        *IMAGENET,
        size=32,
        classes=10,
    )
    for depth in (20, 32, 56)
}


def load(name: str, data_dir: str | None = None) -> tuple[PyTree, PyTree]:
    """NumPy parameters and other collections of a whole pretrained network.

    Raises:
      MissingData: its file is not in the data folder.
      ValueError: no such network, or the file holds something else.
    """
    if name not in PRETRAINED:
        raise ValueError(f'no backbone {name!r}; there is {", ".join(PRETRAINED)}')
    chosen = PRETRAINED[name]
    module = chosen.module(classes=chosen.classes)
    named = weights.read(locate(chosen.file, data_dir))
    return weights.convert(named, shapes(module, chosen.size), chosen.mapping)


def locate(file: str, data_dir: str | None = None):
    """Path of a file below the data folder; raises MissingData."""
    dirs = files.data_dirs(data_dir)
    for folder in dirs:
        if (folder / file).is_file():
            return folder / file
    looked = ', '.join(map(str, dirs))
    raise files.MissingData(
        f'{file} is missing: pretrained weights. Expected under: {looked} '
        f'(--data-dir, else ${files.VARIABLE}, else {files.DEFAULT_DIR})'
    )


def shapes(module: nn.Module, size: int) -> PyTree:
    """Variables of a network as shapes, without computing any."""
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    init = functools.partial(module.init, train=False)
    return jax.eval_shape(init, jax.random.key(0), image)


@functools.cache
def layer_names(module: nn.Module, size: int) -> tuple[str, ...]:
    """Names of a network's layers, in order."""
    names = []  # noted in the trace, since jax sorts what it returns

    def forward(image):
        (_, taps), _ = module.init_with_output(jax.random.key(0), image, train=False)
        names.extend(taps)

    jax.eval_shape(forward, jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32))
    return tuple(names)
