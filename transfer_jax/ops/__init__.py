"""Mathematics on arrays, without losses, networks or training."""

from transfer_jax.ops import collective
from transfer_jax.ops.convolution import convolve, max_pool
from transfer_jax.ops.entropy import entropy, mutual_information
from transfer_jax.ops.gradient_reversal import reverse_gradient

__all__ = [
    'collective',
    'convolve',
    'entropy',
    'max_pool',
    'mutual_information',
    'reverse_gradient',
]
