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


def _mnist() -> Networks:
    return Networks(
        models.GaninMnist(), models.Classifier(10, (100, 100)), models.Critic((100,))
    )


def _svhn() -> Networks:
    return Networks(
        models.GaninSvhn(),
        models.Classifier(10, (3072, 2048), dropout=0.5),
        models.Critic((1024, 1024), dropout=0.5),
    )


def _signs() -> Networks:
    return Networks(
        models.GaninSigns(),
        models.Classifier(43, (512,)),
        models.Critic((1024, 1024)),
    )


# Figure 4 of Ganin & Lempitsky (2015): {--config.network: builder}
GANIN: dict[str, Callable[[], Networks]] = {
    'mnist': _mnist,
    'svhn': _svhn,
    'signs': _signs,
}
