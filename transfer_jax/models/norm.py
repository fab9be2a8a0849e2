"""Domain-aware normalisation: which domains share statistics.

Each layer is called as `layer(x, train=..., domain=...)` and takes `name`. The choice
of the layer is the batch-norm policy of an experiment; methods do not know it. Averages
use ops.collective, so the statistics are of the whole batch on any number of devices.
Statistics are float32; the output has the type of the input.

The running variance is the mean of the batches' biased variances, with divisor n, as it
normalises in training. Ioffe & Szegedy (algorithm 2) and PyTorch average n / (n - 1) of
it, which is 3 % more for 32 vectors and nothing to speak of for feature maps.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.ops import collective, precision
from transfer_jax.types import Array

SOURCE = 0  # the index of the source domain, see training.networks.DOMAINS


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) with shared or separate statistics.

    The attributes select a policy:
      joint: the defaults. All examples of a batch are normalised together.
      separate: domains=2. Each domain has its own statistics; scale and shift are
        shared. With a method that has no loss on the target this is AdaBN (Li et al.
        2016), except that target statistics are updated during training, not estimated
        afterwards. The target pass is itself normalised by target statistics. If layers
        below used source statistics, a layer would learn the statistics of inputs that
        do not occur at prediction.
      DSBN (Chang et al. 2019): domains=2, separate_affine=True. Scale and shift are
        separate too.
      source statistics: domains=2, by=SOURCE. The target is normalised as if it were
        source.
      frozen: frozen=True. The running statistics are used in training too and are not
        updated, as a frozen layer of a pretrained network needs. Scale and shift are
        still parameters; the optimiser decides whether to freeze them.

    Attributes:
      domains: number of separate statistics.
      separate_affine: a separate scale and shift for each domain.
      by: the domain whose statistics normalise all examples; None normalises each
        example by those of its domain.
      momentum: momentum of the running averages.
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
          train: use the statistics of the batch and update the running ones, unless
            they are frozen.
          domain: (n,) int, the domain of each example; None is 0 for all.

        Raises:
          ValueError: in training, the batch has a single vector of a domain, whose
            variance is 0: its output would be the shift, whatever it is. The number is
            known at trace time unless `domain` is traced.
        """
        channels = x.shape[-1]
        shape = (self.domains, channels) if self.separate_affine else (channels,)
        scale = jnp.atleast_2d(self.param('scale', nn.initializers.ones, shape))
        shift = jnp.atleast_2d(self.param('shift', nn.initializers.zeros, shape))
        if domain is None or self.domains == 1:
            domain = np.zeros(x.shape[0], np.int32)

        inputs = x.astype(jnp.float32)
        update = train and not self.frozen
        mean, variance = _statistics(self, inputs, domain, update)
        used = domain if self.by is None else jnp.full_like(domain, self.by)
        factor = _rows(jax.lax.rsqrt(variance + self.epsilon), used, x.ndim)
        y = (inputs - _rows(mean, used, x.ndim)) * factor
        y = y * _rows(scale, domain, x.ndim) + _rows(shift, domain, x.ndim)
        return y.astype(x.dtype)


class AutoDial(nn.Module):
    """AutoDIAL: learns to mix joint and separate statistics (Carlucci et al. 2017).

    Source examples are normalised by the mixture alpha source + (1 - alpha) target,
    target examples by alpha target + (1 - alpha) source. Each layer learns its alpha in
    [1/2, 1]: 1 is separate, 1/2 is joint (section 3.1). The mixture of two samples has
    mean m = alpha m_1 + (1 - alpha) m_2 and variance alpha v_1 + (1 - alpha) v_2 +
    alpha (1 - alpha) (m_1 - m_2)^2.

    Deviations: instead of clipping, alpha = (1 + sigmoid(a)) / 2 of an unbounded
    parameter a, which never reaches 1. alpha starts at 3/4; the authors' code starts it
    at 1, separate statistics. The authors' AlexNet has this layer after the logits too
    (fc8); here it is a norm layer of the encoder only. AutoDIAL's loss, the entropy of
    target predictions, is methods.entropy_minimization, with the constant weight 0.1 in
    the authors' code.
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
            domain = np.zeros(x.shape[0], np.int32)
        inputs = x.astype(jnp.float32)
        mean, variance = _statistics(self, inputs, domain, train)
        alpha = (1 + jax.nn.sigmoid(dial)) / 2
        mixed = alpha * mean + (1 - alpha) * mean[::-1]
        between = alpha * (1 - alpha) * jnp.square(mean - mean[::-1])
        variance = alpha * variance + (1 - alpha) * variance[::-1] + between
        factor = _rows(jax.lax.rsqrt(variance + self.epsilon), domain, x.ndim)
        y = (inputs - _rows(mixed, domain, x.ndim)) * factor * scale + shift
        return y.astype(x.dtype)


def _statistics(layer, x, domain, train):
    """Mean and variance (domains, c): of the batch in training, else the running ones.

    In training, a domain that is not in the batch has its running statistics.
    """
    shape = (layer.domains, x.shape[-1])
    running_mean = layer.variable('batch_stats', 'mean', jnp.zeros, shape)
    running_variance = layer.variable('batch_stats', 'variance', jnp.ones, shape)
    if not train:
        return running_mean.value, running_variance.value
    if not layer.is_initializing():
        _refuse_single_vectors(layer, x, domain)
    mean, variance, present = _moments(x, domain, layer.domains)
    present = present[:, None]
    if not layer.is_initializing():
        momentum = jnp.where(present, layer.momentum, 1.0)
        before = running_mean.value, running_variance.value
        running_mean.value = momentum * before[0] + (1 - momentum) * mean
        running_variance.value = momentum * before[1] + (1 - momentum) * variance
        mean = jnp.where(present, mean, before[0])
        variance = jnp.where(present, variance, before[1])
    return mean, variance


def _refuse_single_vectors(layer, x, domain) -> None:
    """Raises ValueError if the batch has one vector of a domain that it normalises."""
    vectors = collective.devices() * (x[0, ..., 0].size)
    if isinstance(domain, jax.core.Tracer):
        return
    counts = vectors * np.bincount(np.asarray(domain), minlength=layer.domains)
    by = getattr(layer, 'by', None)
    for number in range(layer.domains) if by is None else [by]:
        if counts[number] == 1:
            raise ValueError(
                f'batch norm {"/".join(layer.path)!r}: the batch has one vector of '
                f'domain {number}, and its variance is 0; give a batch of two or more '
                'images of each domain, or a norm that does not use the batch '
                '(BatchNorm(frozen=True)), or no batch norm'
            )


@precision.full_precision
def _moments(x: Array, domain: Array, domains: int) -> tuple[Array, Array, Array]:
    """Mean and variance of each domain (d, c), and whether the batch has it (d,)."""
    spatial = tuple(range(1, x.ndim - 1))
    member = jax.nn.one_hot(domain, domains).T  # (d, n)
    positions = x[0, ..., 0].size
    count = collective.total(member.sum(1))[:, None] * positions
    divisor = jnp.maximum(count, 1)
    mean = collective.total(member @ x.sum(spatial)) / divisor
    squares = jnp.square(x - _rows(mean, domain, x.ndim))
    variance = collective.total(member @ squares.sum(spatial)) / divisor
    return mean, variance, count[:, 0] > 0


def _rows(per_domain: Array, domain: Array, rank: int) -> Array:
    """Rows of (d, c) by the domain of each example, to broadcast over (n, ..., c)."""
    if per_domain.shape[0] == 1:
        return per_domain[0]
    rows = per_domain[domain]
    return rows.reshape(rows.shape[0], *(1,) * (rank - 2), rows.shape[-1])
