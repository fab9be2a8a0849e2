"""The plan of an adaptation: what is chosen where the user says nothing."""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax

from transfer_jax import recipes
from transfer_jax.adapt.experiment import DEFAULT, DEFAULT_WEIGHT, Config
from transfer_jax.data import files
from transfer_jax.recipes import backbones, encoders

# Methods for any network. The others need a decoder, layers of a name, or parameters
# of their own in every norm layer.
METHODS = tuple(
    name
    for name in recipes.RECIPES
    if name
    not in (
        *('train_on_target', 'source_norm', 'adabn', 'autodial', 'dsbn'),
        *('dsn', 'beyond_sharing_weights', 'residual_transfer'),
    )
)
PREFERRED = ('mobilenet_v1', 'mobilenet_v2', 'squeezenet')  # of the weights at hand
SMALLEST = 8  # pixels of a side
SMALL_SIDE = 32  # pixels, up to which three convolutions see the image
CPU_SIZE = 96  # a larger image takes minutes more
EPOCHS = 20
FEWEST_STEPS, MOST_STEPS = 200, 2_000
LARGEST_BATCH = 32


class Counts(NamedTuple):
    """Numbers of images that a plan depends on."""

    source: int
    target: int
    classes: int

    @property
    def larger(self) -> int:
        """Images of the larger domain."""
        return max(self.source, self.target)

    @property
    def smaller(self) -> int:
        """Images of the smaller domain."""
        return min(self.source, self.target)


def resolve(config: Config, counts: Counts, data_dir: str | None = None) -> Config:
    """The config with every choice made.

    steps = clamp(20 epochs of the larger domain, 200, 2,000); batch = min(32, half the
    smaller domain), at least 2; the first backbone of PREFERRED whose weights are in
    the data folder, else a small network from random weights, the smaller one for
    images of at most 32 pixels.

    Raises:
      ValueError: no such method, backbone or norm, no images of a domain, fewer than
        two classes, or images that are too small.
    """
    check_method(config.method)
    for name in ('source', 'target'):
        if not getattr(counts, name):
            raise ValueError(f'the {name} has no images')
    if counts.classes < 2:
        raise ValueError(
            f'the source has {counts.classes} class{"" if counts.classes else "es"}: '
            'a classifier needs two or more'
        )
    backbone = config.backbone or at_hand(data_dir, config.size)
    slow = 1.0 if encoders.is_random(backbone) else 0.1
    own_norm = 'separate' if encoders.has_norm(backbone) else 'none'
    batch = _or(config.batch, max(2, min(LARGEST_BATCH, counts.smaller // 2)))
    epochs = EPOCHS * math.ceil(counts.larger / max(1, batch))
    recipe = recipes.get(config.method)
    weight = config.weight
    if weight is None and recipe.weight_name:
        weight = recipe.weight_for(counts.classes)
        if config.method == DEFAULT:
            weight = DEFAULT_WEIGHT
    resolved = dataclasses.replace(
        config,
        backbone=backbone,
        size=_or(config.size, usual_size(backbone)),
        norm=config.norm or own_norm,
        steps=_or(config.steps, min(MOST_STEPS, max(FEWEST_STEPS, epochs))),
        batch=batch,
        encoder_rate=_or(config.encoder_rate, slow),
        weight=weight,
        balanced=recipe.balanced if config.balanced is None else config.balanced,
        classes=counts.classes,
    )
    if resolved.size < SMALLEST:
        raise ValueError(f'size {resolved.size}: give {SMALLEST} pixels or more')
    encoders.build(resolved.backbone, resolved.norm)  # refuses a norm without layers
    return resolved


def _or(asked, chosen):
    return chosen if asked is None else asked


def check_method(method: str, others: Sequence[str] = ()) -> None:
    """Raises ValueError for a method not for any network, unless it is in `others`."""
    known = (*METHODS, *others)
    if method in known:
        return
    names = ', '.join(known)
    if method in recipes.RECIPES:
        raise ValueError(
            f'method {method!r} needs a network of its own, see '
            f'experiments.adaptation.digits; choose from {names}'
        )
    raise ValueError(f'no method {method!r}; choose from {names}')


def at_hand(data_dir: str | None, side: int | None = None) -> str:
    """The first of PREFERRED whose weights are in the data folder, else a small one.

    Args:
      side: of the images, if it is known.
    """
    for name in PREFERRED:
        try:
            backbones.locate(name, data_dir)
        except files.MissingData:
            continue
        return name
    return encoders.SMALL_CONVNET if side and side <= SMALL_SIDE else encoders.SMALL


def usual_size(backbone: str) -> int:
    """The side of images: that of the network, on CPU at most 96 pixels."""
    side = encoders.size(backbone)
    return min(side, CPU_SIZE) if jax.default_backend() == 'cpu' else side
