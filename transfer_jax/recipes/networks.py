"""The networks and batch-norm policies that pages choose from, by name."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import models

Norm = Callable[..., nn.Module] | None  # builds a norm layer; None: no norm


class Networks(NamedTuple):
    """An encoder with the classifier and the domain discriminator that belong to it."""

    encoder: nn.Module
    classifier: nn.Module
    discriminator: nn.Module
    decoder: nn.Module | None = None  # of images from features


def _mnist(classes: int, norm: Norm = None) -> Networks:
    return Networks(
        models.GaninMnist(norm=norm),
        models.Classifier(classes, (100, 100)),
        models.Discriminator((100,)),
    )


def _svhn(classes: int, norm: Norm = None) -> Networks:
    return Networks(
        models.GaninSvhn(norm=norm),
        models.Classifier(classes, (3072, 2048), dropout=0.5),
        models.Discriminator((1024, 1024), dropout=0.5),
    )


def _signs(classes: int, norm: Norm = None) -> Networks:
    return Networks(
        models.GaninSigns(norm=norm),
        models.Classifier(classes, (512,)),
        models.Discriminator((1024, 1024)),
    )


def _lenet(classes: int, norm: Norm = None) -> Networks:
    """LeNet and the discriminator of ADDA (Tzeng et al. 2017)."""
    return Networks(
        models.LeNet(norm=norm),
        models.Classifier(classes),
        models.Discriminator((500, 500), slope=0.2),
    )


# {--config.network: (classes, norm) -> networks}; the first three are figure 4 of Ganin
# & Lempitsky (2015).
NETWORKS: dict[str, Callable[..., Networks]] = {
    'mnist': _mnist,
    'svhn': _svhn,
    'signs': _signs,
    'lenet': _lenet,
}
# Batch-norm policies, {--config.norm: norm layer}; see models.BatchNorm.
_SEPARATE = functools.partial(models.BatchNorm, domains=2)
NORMS: dict[str, Norm] = {
    'none': None,
    'joint': models.BatchNorm,
    'separate': _SEPARATE,
    'source': functools.partial(models.BatchNorm, domains=2, by=models.SOURCE),
    'adabn': _SEPARATE,  # its name where no loss is put on the target
    'dsbn': functools.partial(models.BatchNorm, domains=2, separate_affine=True),
    'autodial': models.AutoDial,
}


DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


def build(
    network: str,
    classes: int,
    norm: str = 'none',
    image: tuple[int, int, int] | None = None,
    dtype: str = 'float32',
) -> Networks:
    """The networks of that name under a batch-norm policy.

    Args:
      image: (h, w, c) of what the decoder makes; None for no decoder.
      dtype: of the encoder's computation, a key of DTYPES; parameters and heads are
        float32.

    Raises:
      ValueError: an unknown network or policy, naming those there are.
    """
    for kind, name, known in (
        ('network', network, NETWORKS),
        ('norm', norm, NORMS),
        ('dtype', dtype, DTYPES),
    ):
        if name not in known:
            raise ValueError(f'no {kind} {name!r}; choose from {", ".join(known)}')
    decoder = None if image is None else models.DigitDecoder(image)
    made = NETWORKS[network](classes, NORMS[norm])
    encoder = made.encoder.clone(dtype=DTYPES[dtype])
    return made._replace(encoder=encoder, decoder=decoder)
