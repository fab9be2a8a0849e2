"""Array operations that know no losses, networks or training."""

from transfer_jax.ops import collective, host
from transfer_jax.ops.convolution import Padding, convolve
from transfer_jax.ops.correlation import cross_correlation
from transfer_jax.ops.crf import exact_filter, mean_field
from transfer_jax.ops.descriptors import gem_pool, l2_normalise, signed_power
from transfer_jax.ops.entropic_transport import EntropicPlan, entropic_plan
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
from transfer_jax.ops.masks import with_background
from transfer_jax.ops.order import argmax_first
from transfer_jax.ops.permutohedral import lattice_filter
from transfer_jax.ops.pooling import (
    class_wise,
    evidence,
    global_average,
    global_max,
    log_sum_exp,
    soft_pool,
    weldon,
    wildcat,
)
from transfer_jax.ops.precision import at_least_float32, full_precision
from transfer_jax.ops.proximal import shrink_groups
from transfer_jax.ops.regions import (
    boxes_at_peaks,
    class_activation_maps,
    crop_and_zoom,
    upsample,
)
from transfer_jax.ops.windows import average_pool, max_pool

__all__ = [
    'EntropicPlan',
    'Padding',
    'argmax_first',
    'at_least_float32',
    'average_pool',
    'boxes_at_peaks',
    'class_activation_maps',
    'class_wise',
    'collective',
    'convolve',
    'crop_and_zoom',
    'cross_correlation',
    'entropic_plan',
    'entropy',
    'evidence',
    'exact_filter',
    'full_precision',
    'gaussian_kernel',
    'gem_pool',
    'global_average',
    'global_max',
    'guided_relu',
    'host',
    'l2_normalise',
    'lattice_filter',
    'linear_kernel',
    'log_sum_exp',
    'max_pool',
    'mean_field',
    'median_variance',
    'multi_kernel',
    'mutual_information',
    'order_statistic',
    'reverse_gradient',
    'shrink_groups',
    'signed_power',
    'soft_pool',
    'squared_distances',
    'upsample',
    'weldon',
    'wildcat',
    'with_background',
]
