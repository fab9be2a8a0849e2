"""Losses: arrays in, one number per example out, or one where the definition says so.

No model, no config, no axis of devices.
"""

from transfer_jax.losses.adversarial import (
    binary_cross_entropy,
    certainty,
    classifier_discrepancy,
    confusion,
    gradient_penalty,
    multilinear,
    random_multilinear,
    wasserstein,
)
from transfer_jax.losses.classification import (
    cross_entropy,
    multi_label_logistic,
    pixel_cross_entropy,
)
from transfer_jax.losses.discrepancy import (
    cmd,
    coral,
    joint_mmd,
    mmd_biased,
    mmd_linear,
    mmd_unbiased,
)
from transfer_jax.losses.multi_task import (
    UNKNOWN,
    known_cross_entropy,
    uncertainty_weighted,
)
from transfer_jax.losses.optimal_transport import (
    jdot_cost,
    transport_cost,
    transport_plan,
    unrolled_plan,
)
from transfer_jax.losses.parameters import (
    exponential_map_error,
    l2_sp,
    residual_barrier,
    squared_map_error,
)
from transfer_jax.losses.separation import difference, scale_invariant_error
from transfer_jax.losses.target import class_confusion, nuclear_norm, pseudo_label

__all__ = [
    'UNKNOWN',
    'binary_cross_entropy',
    'certainty',
    'class_confusion',
    'classifier_discrepancy',
    'cmd',
    'confusion',
    'coral',
    'cross_entropy',
    'difference',
    'exponential_map_error',
    'gradient_penalty',
    'jdot_cost',
    'joint_mmd',
    'known_cross_entropy',
    'l2_sp',
    'mmd_biased',
    'mmd_linear',
    'mmd_unbiased',
    'multi_label_logistic',
    'multilinear',
    'nuclear_norm',
    'pixel_cross_entropy',
    'pseudo_label',
    'random_multilinear',
    'residual_barrier',
    'scale_invariant_error',
    'squared_map_error',
    'transport_cost',
    'transport_plan',
    'uncertainty_weighted',
    'unrolled_plan',
    'wasserstein',
]
