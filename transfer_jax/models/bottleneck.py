"""A dense layer on top of an encoder, whose features a method adapts."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax.types import Array


class Bottleneck(nn.Module):
    """The features of an encoder, then a dense layer and ReLU, (n, width).

    Public code for Office-31 has such a layer of 256 units between ResNet-50 and the
    classifier (Long et al., "Conditional adversarial domain adaptation", NeurIPS 2018).
    The parameters of the encoder keep their names; 'bottleneck' is beside them.
    """

    encoder: nn.Module
    width: int = 256

    def setup(self) -> None:
        nn.share_scope(self, self.encoder)

    @nn.compact
    def __call__(
        self, x: Array, *, train: bool, domain: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        x, taps = self.encoder(x, train=train, domain=domain)
        x = nn.relu(nn.Dense(self.width, name='bottleneck')(x)).astype(jnp.float32)
        return x, {**taps, 'bottleneck': x}
