"""A row of the lectures' list: what it is, where it was run, how to run it."""

import functools
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

# Multiplications and additions of one image of 224 pixels, in 1e9, as torchvision's
# documentation of each network lists them
GMACS = {
    'alexnet': 0.71,
    'googlenet': 1.5,
    'resnet18': 1.81,
    'resnet50': 4.09,
    'resnet101': 7.8,
    'vgg16': 15.47,
}
# A step of training costs about three times a prediction.
TRAINED = 3.0
RATE = 'results/benchmarks/gpu/resnet50.json'  # images a second on a GPU
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Cost(NamedTuple):
    """How many images pass through which network."""

    images: int  # of one pass through the data
    network: str  # a key of GMACS
    passes: float = 1.0  # epochs, views of an image, or runs
    size: int = 224
    trained: bool = False  # training, not features alone

    def hours(self) -> float:
        """Hours on the GPU of RATE, at its measured rate for ResNet-50.

        That was measured in bfloat16. The rate is scaled by the multiplications of the
        network and the area of the images. Reading the images, and SVMs on the CPU,
        come on top.
        """
        reference = TRAINED * GMACS['resnet50']
        share = GMACS[self.network] * (self.size / 224) ** 2
        share *= TRAINED if self.trained else 1.0
        return self.images * self.passes * share / reference / _rate() / 3600


class Here(NamedTuple):
    """The rows of a result file that an item shows, and the number in them."""

    file: str  # below results/
    where: Mapping[str, Any]  # the rows, or the method of a run
    value: str
    data: str  # what it was run on


class Item(NamedTuple):
    """One thing that the lectures show."""

    lecture: str  # a key of catalogue.LECTURES
    title: str
    module: str = ''  # of the experiment, or of the library
    flags: str = ''  # with the real data
    data: tuple[str, ...] = ()  # names in transfer_jax.data.known.KNOWN
    weights: tuple[str, ...] = ()  # names of backbones
    published: str = ''
    cost: tuple[Cost, ...] = ()
    here: Here | None = None
    out: str = ''  # why it is not here

    @property
    def command(self) -> str:
        """The command for the real data; '' if there is none."""
        if not self.module.startswith('experiments.'):
            return ''
        return f'python -m {self.module} {self.flags}'.rstrip()

    @property
    def hours(self) -> float:
        """Of a GPU, see Cost."""
        return sum(cost.hours() for cost in self.cost)


@functools.cache
def _rate() -> float:
    content = json.loads((ROOT / RATE).read_text(encoding='utf-8'))
    return content['images_a_second']['ours']
