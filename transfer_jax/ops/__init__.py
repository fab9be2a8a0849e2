"""Mathematics on arrays, without losses, networks or training."""

from transfer_jax.ops import collective, host
from transfer_jax.ops.convolution import Padding, convolve
from transfer_jax.ops.correlation import cross_correlation
from transfer_jax.ops.descriptors import gem_pool, l2_normalise, signed_power
from transfer_jax.ops.entropy import entropy, mutual_information
from transfer_jax.ops.gradient_reversal import reverse_gradient
from transfer_jax.ops.guided_relu import guided_relu
from transfer_jax.ops.kernels import (
    gaussian_kernel,
    linear_kernel,
    median_variance,
    multi_kernel,
    order_statistic,
    squared_distances,
)
from transfer_jax.ops.order import first_largest
from transfer_jax.ops.pooling import average_pool, max_pool
from transfer_jax.ops.precision import wide
from transfer_jax.ops.proximal import shrink_groups

__all__ = [
    'Padding',
    'collective',
    'average_pool',
    'convolve',
    'cross_correlation',
    'entropy',
    'first_largest',
    'gaussian_kernel',
    'gem_pool',
    'l2_normalise',
    'guided_relu',
    'host',
    'linear_kernel',
    'max_pool',
    'median_variance',
    'multi_kernel',
    'mutual_information',
    'order_statistic',
    'reverse_gradient',
    'shrink_groups',
    'signed_power',
    'squared_distances',
    'wide',
]
