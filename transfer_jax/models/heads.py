"""Classifiers and discriminators on feature vectors."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.types import Array


class Classifier(nn.Module):
    """Dense layers with ReLU and dropout, then one logit per class.

    Returns (logits (n, classes), {'hidden_1': (n, width), ...}).
    """

    classes: int
    widths: Sequence[int] = ()
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        x, taps = _hidden(x, self.widths, nn.relu, self.dropout, train)
        return nn.Dense(self.classes, name='logits')(x).astype(jnp.float32), taps


class Discriminator(nn.Module):
    """A domain classifier: dense layers, then one logit per example (1 = target).

    Returns (logits (n,), {'hidden_1': (n, width), ...}).
    """

    widths: Sequence[int]
    slope: float = 0.0  # of the leaky ReLU; 0 is ReLU
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        def activate(x):
            return nn.leaky_relu(x, self.slope) if self.slope else nn.relu(x)

        x, taps = _hidden(x, self.widths, activate, self.dropout, train)
        return nn.Dense(1, name='logits')(x)[:, 0].astype(jnp.float32), taps


class ClassDiscriminators(nn.Module):
    """One discriminator per class, each with its own parameters, (n, k, d) -> (n, k).

    Discriminator k sees entry k of an example only: MADA (Pei et al. 2018).
    """

    widths: Sequence[int]
    slope: float = 0.0
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        each = nn.vmap(
            lambda discriminator, x: discriminator(x, train=train)[0],
            in_axes=1,
            out_axes=1,
            variable_axes={'params': 0},
            split_rngs={'params': True, 'dropout': True},
        )
        # Flax derives the initial weights from this name: a new name changes results.
        discriminator = Discriminator(
            self.widths, self.slope, self.dropout, name='critic'
        )
        return each(discriminator, x), {}


def _hidden(x, widths, activate, dropout, train):
    taps = {}
    for i, width in enumerate(widths, 1):
        x = activate(nn.Dense(width, name=f'hidden_{i}')(x))
        x = nn.Dropout(dropout, deterministic=not train)(x)
        taps[f'hidden_{i}'] = x
    return x, taps
