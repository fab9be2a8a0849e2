"""Networks and batch-norm policies by name, as experiments choose them."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import models

Norm = Callable[..., nn.Module] | None  # makes a norm layer; None: no norm


class Networks(NamedTuple):
    """The modules that methods are built from; a recipe names those that it takes.

    Attributes:
      encoder: images to features.
      classifier: features to class logits.
      discriminator: features to one domain logit.
      decoder: features to images; None where no method needs it.
      critic: of WDGRL; without dropout and batch statistics.
      discriminators: one per class, of MADA.
    """

    encoder: nn.Module
    classifier: nn.Module
    discriminator: nn.Module
    decoder: nn.Module | None = None
    critic: nn.Module = models.Discriminator((100,))
    discriminators: nn.Module = models.ClassDiscriminators((100,), slope=0.2)


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
    """LeNet, and a discriminator with the widths of ADDA's (Tzeng et al. 2017).

    The slope of its leaky ReLU is ours; the authors' script for SVHN to MNIST has ReLU.
    """
    return Networks(
        models.LeNet(norm=norm),
        models.Classifier(classes),
        models.Discriminator((500, 500), slope=0.2),
    )


# {--config.network: (classes, norm) -> networks}. The first three are from figure 4 of
# Ganin & Lempitsky (2015).
NETWORKS: dict[str, Callable[..., Networks]] = {
    'mnist': _mnist,
    'svhn': _svhn,
    'signs': _signs,
    'lenet': _lenet,
}
_SEPARATE = functools.partial(models.BatchNorm, domains=2)
# Batch-norm policies, {--config.norm: norm layer}; see models.BatchNorm.
NORMS: dict[str, Norm] = {
    'none': None,
    'joint': models.BatchNorm,
    'separate': _SEPARATE,
    'source': functools.partial(models.BatchNorm, domains=2, by=models.SOURCE),
    'adabn': _SEPARATE,  # so called where there is no loss on the target
    'dsbn': functools.partial(models.BatchNorm, domains=2, separate_affine=True),
    'autodial': models.AutoDial,
}
# Policies whose networks are compared with one another, {policy: the one it is compared
# under}: each domain has its statistics, whatever else a policy separates or mixes.
_COMPARED = dict.fromkeys(('adabn', 'dsbn', 'autodial'), 'separate')
DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


def compared_as(norm: str) -> str:
    """The policy under whose baseline a gain is measured: 'separate' for 'dsbn'.

    Results with the same one may be compared. The baseline of 'separate' is AdaBN, that
    of 'none' source only.
    """
    return _COMPARED.get(norm, norm)


def build(
    network: str,
    classes: int,
    norm: str = 'none',
    image: tuple[int, int, int] | None = None,
    dtype: str = 'float32',
) -> Networks:
    """The networks of a name under a batch-norm policy.

    Args:
      network: a key of NETWORKS.
      norm: a key of NORMS.
      image: (h, w, c) of the decoder's images; None for no decoder.
      dtype: of the encoder's computation, a key of DTYPES; parameters and heads are
        float32.

    Raises:
      ValueError: unknown network, norm or dtype; the message lists the known ones.
    """
    for kind, name, choices in (
        ('network', network, NETWORKS),
        ('norm', norm, NORMS),
        ('dtype', dtype, DTYPES),
    ):
        if name not in choices:
            raise ValueError(f'no {kind} {name!r}; choose from {", ".join(choices)}')
    nets = NETWORKS[network](classes, NORMS[norm])
    return nets._replace(
        encoder=nets.encoder.clone(dtype=DTYPES[dtype]),
        decoder=None if image is None else models.DigitDecoder(image),
    )
