"""The networks that the pages on digits and signs choose from, by name."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn

from transfer_jax import models


class Networks(NamedTuple):
    """An encoder with the classifier and the domain critic that belong to it."""

    encoder: nn.Module
    classifier: nn.Module
    critic: nn.Module


def _mnist(classes: int) -> Networks:
    return Networks(
        models.GaninMnist(),
        models.Classifier(classes, (100, 100)),
        models.Critic((100,)),
    )


def _svhn(classes: int) -> Networks:
    return Networks(
        models.GaninSvhn(),
        models.Classifier(classes, (3072, 2048), dropout=0.5),
        models.Critic((1024, 1024), dropout=0.5),
    )


def _signs(classes: int) -> Networks:
    return Networks(
        models.GaninSigns(),
        models.Classifier(classes, (512,)),
        models.Critic((1024, 1024)),
    )


# Figure 4 of Ganin & Lempitsky (2015): {--config.network: classes -> networks}
GANIN: dict[str, Callable[[int], Networks]] = {
    'mnist': _mnist,
    'svhn': _svhn,
    'signs': _signs,
}
