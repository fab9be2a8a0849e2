"""Normalisation that knows domains: who shares statistics with whom.

Each layer here is called as `layer(x, train=..., domain=...)` and takes `name`. Which
one a network is built with is the batch-norm policy of an experiment; no method knows.
Averages go through ops.collective, so eight devices see the statistics of the whole
batch. Statistics are float32; the answer has the type of the input.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax.ops import collective
from transfer_jax.types import Array

SOURCE = 0  # the index of the source domain, see training.networks.DOMAINS


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) with shared or separate statistics.

    The policies, by attributes:
      joint: the defaults. All examples of a batch are normalised together.
      separate: domains=2. Each domain by its own statistics; scale and shift are
        shared. With a method that puts no loss on the target it is AdaBN (Li et al.
        2016), whose target statistics are kept up during training here, not
        estimated after it. They are those of a target pass that is itself
        normalised by them: with source statistics below, a layer would learn the
        statistics of inputs that it never sees at prediction.
      DSBN (Chang et al. 2019): domains=2, separate_affine=True. Scale and shift are
        separate too.
      source statistics: domains=2, by=SOURCE. The target is normalised as if it were
        source.
      frozen: frozen=True. The running statistics normalise in training too and do not
        move, as a frozen layer of a pretrained network needs; scale and shift are
        still parameters, for the optimiser to freeze or not.

    Attributes:
      domains: number of separate statistics.
      separate_affine: scale and shift for each of the domains.
      by: the domain whose statistics normalise all examples; None for each example its
        own.
      momentum: of the running averages.
      epsilon: added to the variance.
      frozen: never use or average the statistics of a batch.
    """

    domains: int = 1
    separate_affine: bool = False
    by: int | None = None
    momentum: float = 0.9
    epsilon: float = 1e-5
    frozen: bool = False

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        """Normalise (n, ..., c).

        Args:
          train: use the statistics of the batch, and move the running ones, unless
            they are frozen.
          domain: (n,) int, the domain of each example; all 0 if None.
        """
        channels = x.shape[-1]
        shape = (self.domains, channels) if self.separate_affine else (channels,)
        scale = jnp.atleast_2d(self.param('scale', nn.initializers.ones, shape))
        shift = jnp.atleast_2d(self.param('shift', nn.initializers.zeros, shape))
        if domain is None or self.domains == 1:
            domain = jnp.zeros(x.shape[0], jnp.int32)

        inputs = x.astype(jnp.float32)
        moving = train and not self.frozen
        center, spread = _statistics(self, inputs, domain, moving)
        used = domain if self.by is None else jnp.full_like(domain, self.by)
        rate = _rows(jax.lax.rsqrt(spread + self.epsilon), used, x.ndim)
        y = (inputs - _rows(center, used, x.ndim)) * rate
        y = y * _rows(scale, domain, x.ndim) + _rows(shift, domain, x.ndim)
        return y.astype(x.dtype)


class AutoDial(nn.Module):
    """Batch normalisation between joint and separate, learned (Carlucci et al. 2017).

    Source examples are normalised by the mixture alpha source + (1 - alpha) target,
    target examples by alpha target + (1 - alpha) source, with alpha in [1/2, 1] learned
    in each layer: 1 is separate, 1/2 is joint (section 3.1). The mixture of two samples
    has mean m = alpha m_1 + (1 - alpha) m_2 and variance alpha v_1 + (1 - alpha) v_2 +
    alpha (1 - alpha) (m_1 - m_2)^2.

    Deviation: alpha = (1 + sigmoid(a)) / 2 of an unbounded parameter a, from 3/4 on,
    instead of clipping. Its loss, the entropy of target predictions, is
    methods.entropy_minimization.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    domains = 2

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        """Normalise (n, ..., c); see BatchNorm."""
        channels = x.shape[-1]
        scale = self.param('scale', nn.initializers.ones, (channels,))
        shift = self.param('shift', nn.initializers.zeros, (channels,))
        dial = self.param('dial', nn.initializers.zeros, ())
        if domain is None:
            domain = jnp.zeros(x.shape[0], jnp.int32)
        inputs = x.astype(jnp.float32)
        center, spread = _statistics(self, inputs, domain, train)
        own = (1 + jax.nn.sigmoid(dial)) / 2
        mixed = own * center + (1 - own) * center[::-1]
        apart = own * (1 - own) * jnp.square(center - center[::-1])
        variance = own * spread + (1 - own) * spread[::-1] + apart
        rate = _rows(jax.lax.rsqrt(variance + self.epsilon), domain, x.ndim)
        y = (inputs - _rows(mixed, domain, x.ndim)) * rate * scale + shift
        return y.astype(x.dtype)


def _statistics(layer, x, domain, train):
    """Mean and variance (domains, c): of the batch, or the running ones.

    A domain that a batch does not have is normalised by its running ones there.
    """
    shape = (layer.domains, x.shape[-1])
    mean = layer.variable('batch_stats', 'mean', jnp.zeros, shape)
    variance = layer.variable('batch_stats', 'variance', jnp.ones, shape)
    if not train:
        return mean.value, variance.value
    center, spread, seen = _moments(x, domain, layer.domains)
    seen = seen[:, None]
    if not layer.is_initializing():
        keep = jnp.where(seen, layer.momentum, 1.0)
        before = mean.value, variance.value
        mean.value = keep * mean.value + (1 - keep) * center
        variance.value = keep * variance.value + (1 - keep) * spread
        center = jnp.where(seen, center, before[0])
        spread = jnp.where(seen, spread, before[1])
    return center, spread


def _moments(x: Array, domain: Array, domains: int) -> tuple[Array, Array, Array]:
    """Mean and variance per domain (d, c), and whether the domain occurs (d,)."""
    between = tuple(range(1, x.ndim - 1))
    member = jax.nn.one_hot(domain, domains).T  # (d, n)
    positions = x[0, ..., 0].size
    count = collective.total(member.sum(1))[:, None] * positions
    divisor = jnp.maximum(count, 1)
    center = collective.total(member @ x.sum(between)) / divisor
    deviation = jnp.square(x - _rows(center, domain, x.ndim))
    spread = collective.total(member @ deviation.sum(between)) / divisor
    return center, spread, count[:, 0] > 0


def _rows(per_domain: Array, domain: Array, rank: int) -> Array:
    """Rows of (d, c) for each example, shaped to broadcast over (n, ..., c)."""
    if per_domain.shape[0] == 1:
        return per_domain[0]
    rows = per_domain[domain]
    return rows.reshape(rows.shape[0], *(1,) * (rank - 2), rows.shape[-1])
