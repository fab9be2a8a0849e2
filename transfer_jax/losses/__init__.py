"""Losses on arrays: one number per example, or one number if the definition is such.

No loss knows a model, a config or an axis of devices.
"""

from transfer_jax.losses.adversarial import (
    binary_cross_entropy,
    certainty,
    classifier_discrepancy,
    domain_confusion,
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
    mean_distance,
    mmd_biased,
    mmd_linear,
    mmd_unbiased,
)
from transfer_jax.losses.dsn import difference, scale_invariant_error
from transfer_jax.losses.multi_task import (
    UNKNOWN,
    known_cross_entropy,
    uncertainty_weighted,
)
from transfer_jax.losses.optimal_transport import (
    forced_mass,
    jdot_cost,
    transport_cost,
    transport_plan,
)
from transfer_jax.losses.target_predictions import (
    confident,
    minimum_class_confusion,
    mixed_label,
    nuclear_norm,
    pseudo_label,
)
from transfer_jax.losses.weights import (
    exponential_map_error,
    l2_sp,
    residual_barrier,
    squared_map_error,
)

__all__ = [
    'UNKNOWN',
    'binary_cross_entropy',
    'certainty',
    'classifier_discrepancy',
    'cmd',
    'confident',
    'coral',
    'cross_entropy',
    'difference',
    'domain_confusion',
    'exponential_map_error',
    'forced_mass',
    'gradient_penalty',
    'jdot_cost',
    'joint_mmd',
    'known_cross_entropy',
    'l2_sp',
    'mean_distance',
    'minimum_class_confusion',
    'mixed_label',
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
    'wasserstein',
]
