"""The one normalisation layer of all networks: batch norm that knows domains."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax.ops import collective
from transfer_jax.types import Array


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) with shared or separate statistics.

    With domains=1 all examples of a batch are normalised together (joint). With
    domains=2 each domain has its own mean and variance and the scale and shift are
    shared, as in AdaBN (Li et al. 2016) kept up during training. Averages go through
    ops.collective, so eight devices see the statistics of the whole batch.

    Attributes:
      domains: number of separate statistics.
      momentum: of the running averages.
      epsilon: added to the variance.
    """

    domains: int = 1
    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        """Normalise (n, ..., c).

        Args:
          train: use the statistics of the batch, and move the running ones.
          domain: (n,) int, the domain of each example; all 0 if None.
        """
        channels = x.shape[-1]
        shape = (self.domains, channels)
        mean = self.variable('batch_stats', 'mean', jnp.zeros, shape)
        variance = self.variable('batch_stats', 'variance', jnp.ones, shape)
        scale = self.param('scale', nn.initializers.ones, (channels,))
        shift = self.param('shift', nn.initializers.zeros, (channels,))
        if domain is None or self.domains == 1:
            domain = jnp.zeros(x.shape[0], jnp.int32)

        inputs = x.astype(jnp.float32)
        if train:
            center, spread, seen = _moments(inputs, domain, self.domains)
            if not self.is_initializing():
                keep = jnp.where(seen[:, None], self.momentum, 1.0)
                mean.value = keep * mean.value + (1 - keep) * center
                variance.value = keep * variance.value + (1 - keep) * spread
        else:
            center, spread = mean.value, variance.value

        rate = scale * jax.lax.rsqrt(spread + self.epsilon)
        y = (inputs - _spread(center, domain, x.ndim)) * _spread(rate, domain, x.ndim)
        return (y + shift).astype(self.dtype)


def _moments(x: Array, domain: Array, domains: int) -> tuple[Array, Array, Array]:
    """Mean and variance per domain (d, c), and whether the domain occurs (d,)."""
    between = tuple(range(1, x.ndim - 1))
    member = jax.nn.one_hot(domain, domains).T  # (d, n)
    positions = x[0, ..., 0].size
    count = collective.total(member.sum(1))[:, None] * positions
    divisor = jnp.maximum(count, 1)
    center = collective.total(member @ x.sum(between)) / divisor
    deviation = jnp.square(x - _spread(center, domain, x.ndim))
    spread = collective.total(member @ deviation.sum(between)) / divisor
    return center, spread, count[:, 0] > 0


def _spread(per_domain: Array, domain: Array, rank: int) -> Array:
    """Rows of (d, c) for each example, shaped to broadcast over (n, ..., c)."""
    if per_domain.shape[0] == 1:
        return per_domain[0]
    rows = per_domain[domain]
    return rows.reshape(rows.shape[0], *(1,) * (rank - 2), rows.shape[-1])
