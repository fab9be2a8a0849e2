"""The fields of a config that say which network is trained, with what head, and how."""

import dataclasses
import math
from collections.abc import Callable

import flax.linen as nn

from experiments.localization import networks, poolings, trunk
from experiments.tasks import choices

_DEMO = poolings.Regions(k=0.2)
CENTRE = 'centre'  # scores of average pooling, points at the middle of the image


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A network, its pooling and its training; the defaults are WILDCAT's.

    They are those of the demo that the authors published (github.com/durandtibo/
    wildcat.pytorch, README): ResNet-101 at 448 pixels, k = 0.2, 8 maps, alpha 0.7, 20
    epochs of SGD in batches of 16 with momentum 0.9, decay 1e-4 and the constant rate
    0.01, a tenth of it for the pretrained layers. Their pooling halves its sum and ours
    does not: the same steps, seen from the scores, have a quarter of their rate for the
    head, and their rate for the layers below. The head's decay is then a quarter, too.

    Deviations: in the demo a class whose objects are all difficult is present in
    training; here the image is left out for that class. Score maps start at 0, theirs
    at random.
    """

    poolings: tuple[str, ...] = ('wildcat',)
    """average, max, lse, spleap, weldon, wildcat; where points are measured, centre."""
    k: float = _DEMO.k
    """Highest and lowest positions of weldon and wildcat, below 1 as a share of all; 0
    is 3 positions for weldon, 0.2 for wildcat."""
    alpha: float = _DEMO.alpha
    """Weight of the lowest positions of wildcat."""
    maps: int = _DEMO.maps
    """Maps of each class of wildcat."""
    scales: tuple[int, ...] = (448,)
    """Sides of the images in pixels: training takes them in turn, testing averages the
    scores and maps of all."""
    backbone: str = 'resnet101'
    """A name of recipes.backbones."""
    cut: str = ''
    """The last fixed layer, whose features are held in memory; auto trains one layer,
    '' the whole network, with images read from their files."""
    last: str = ''
    """The layer whose map the head reads; '' is the last map. fc7 of alexnet and vgg
    makes their dense layers convolutions."""
    batch_statistics: bool = True
    """Norm layers of the trained part use and average the statistics of a batch, as in
    the authors' code; otherwise they keep those of the pretrained network."""
    optimizer: str = 'sgd'
    """sgd at a constant rate, or adam, whose rate rises over a tenth of the steps and
    falls to 0 as a cosine."""
    epochs: float = 20.0
    """Passes over the training images, each as it is or mirrored, half and half."""
    batch: int = 16
    rate: float = 0.0025
    """Of the head."""
    below: float = 0.4
    """Rate of the backbone over that of the head."""
    decay: float = 1e-4
    """Weight decay."""
    seeds: int = 1
    """Draws of the order of the images."""

    @property
    def network(self) -> networks.Network:
        """The backbone; raises ValueError for an unknown name or layer."""
        return networks.of(self.backbone, self.cut, self.last, self.batch_statistics)

    def check(self, known: tuple[str, ...]) -> None:
        """Raises ValueError for a value that cannot be used; one line.

        Args:
          known: names of poolings.
        """
        for name in self.poolings:
            choices.check('pooling', name, known)
            if name != CENTRE:
                self.head(name, 1)
        choices.check('optimizer', self.optimizer, trunk.OPTIMIZERS)
        if not self.scales or min(self.scales) < 32:
            raise ValueError(f'scales {self.scales}: sides of 32 pixels or more')
        if not self.epochs > 0:
            raise ValueError(f'epochs {self.epochs}: a number above 0')
        _ = self.network

    def head(self, pooling: str, classes: int) -> nn.Module:
        """The head with a pooling."""
        regions = poolings.Regions(self.k, self.alpha, self.maps)
        return poolings.head(pooling, classes, regions)

    def recipe(self, loss: Callable, images: int) -> trunk.Recipe:
        """The training on a number of images."""
        return trunk.Recipe(
            loss,
            max(1, math.ceil(self.epochs * images / self.batch)),
            self.batch,
            self.rate,
            self.optimizer,
            self.below,
            self.decay,
        )


# Fields of WELDON with VGG-16, its dense layers as convolutions. Rate, batch, epochs
# and k are those of the authors' later code for ResNet-101 at 224 pixels
# (github.com/durandtibo/wsl.resnet.torch, README and opts.lua), where k is 15 of 49
# positions; here there are 64. Pretrained layers have a tenth of the rate, as in
# WILDCAT's demo: VGG has no norm layers, and that code trains all layers at one rate.
# The paper's own training is another: regions of several scales, and on VOC a loss for
# average precision.
WELDON = {
    'poolings': ('weldon',),
    'k': 15.0,
    'backbone': 'vgg16',
    'last': 'fc7',
    'batch': 40,
    'rate': 1e-2,
    'below': 0.1,
}
