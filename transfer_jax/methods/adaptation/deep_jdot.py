"""DeepJDOT (Damodaran et al. 2018)."""

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import losses, training
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.ops import collective
from transfer_jax.training import optim


def deep_jdot(
    encoder: nn.Module,
    classifier: nn.Module,
    *,
    txs: optim.Optimisers,
    weight: optim.Schedule | float,
    feature_weight: float = 0.001,
    label_weight: float = 0.0001,
    epsilon: float = 0.05,
    through: bool = False,
) -> training.Method:
    """DeepJDOT: optimal transport of features and labels jointly, source to target.

    min mean_source CE(y(f(x)), label) + weight * min_P sum_ij P_ij c_ij,
    c_ij = feature_weight ||f(s_i) - f(t_j)||^2 + label_weight CE(y(f(t_j)), label_i)

    over plans P between the two batches (eq. 5 to 7). Trains 'encoder' and
    'classifier'.

    Deviation: the plan is entropic, computed by Sinkhorn's algorithm; the paper solves
    the exact problem. As in the paper, the plan is a constant in the gradient unless
    `through` is set.

    Args:
      weight: weight of the transport cost, as a function of the step.
      feature_weight: alpha of the paper.
      label_weight: lambda_t of the paper.
      epsilon: entropic regularisation, in units of the mean cost.
      through: differentiate the plan too.
    """

    def penalty(out, state):
        source, target = two_domains.gathered(out, 'features')
        _, logits = two_domains.gathered(out, 'logits')
        cost = losses.jdot_cost(
            source,
            target,
            collective.gather(out.label),
            logits,
            feature_weight=feature_weight,
            label_weight=label_weight,
        )
        value = losses.transport_cost(cost, epsilon=epsilon, through=through)
        return value, {'mean_cost': jnp.mean(cost)}

    return two_domains.regularised(
        encoder, classifier, txs=txs, weight=weight, penalty=penalty
    )
