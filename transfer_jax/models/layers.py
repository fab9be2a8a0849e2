"""Shared layers of the networks, and `run`, which runs a sequence of named layers."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.types import Array

Norm = Callable[..., nn.Module] | None  # builds a norm layer; None: no norm
Activation = Callable[[Array], Array]


class Conv(nn.Module):
    """2-D convolution with the parameters of nn.Conv: kernel (HWIO) and bias.

    Raises:
      ValueError: the input is of integers: images that were not normalised.
    """

    features: int
    window: int
    stride: int = 1
    padding: ops.Padding = 0
    use_bias: bool = True
    dtype: jnp.dtype = jnp.float32
    dilation: int = 1
    groups: int = 1
    use_xla: bool = False
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        # All networks on images begin with this layer.
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(
                f'networks read normalised images, not {x.dtype}: map the stream and '
                'the batches, .map(data.normalise(mean)), in training and prediction'
            )
        shape = (self.window, self.window, x.shape[-1] // self.groups, self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        x = ops.convolve(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            use_xla=self.use_xla,
        )
        if self.use_bias:
            bias = self.param('bias', nn.initializers.zeros, (self.features,))
            x = x + bias.astype(self.dtype)
        return x


class Unit(nn.Module):
    """Convolution, norm and activation; parameters in 'conv' and 'norm'.

    The kernel is initialised as in He et al. (2015), for rectified units.

    Attributes:
      norm: builds the norm layer, norm(name=...); None gives the convolution a bias.
      epsilon: epsilon of the norm; None leaves the norm's default.
      activate: the activation; None for a linear unit.
      use_xla: as in ops.convolve.
    """

    features: int
    window: int
    stride: int = 1
    padding: ops.Padding = 0
    dilation: int = 1
    groups: int = 1
    norm: Norm = None
    epsilon: float | None = None
    activate: Activation | None = nn.relu
    use_xla: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool, domain: Array | None = None) -> Array:
        x = Conv(
            self.features,
            self.window,
            self.stride,
            self.padding,
            use_bias=self.norm is None,
            dtype=self.dtype,
            dilation=self.dilation,
            groups=self.groups,
            use_xla=self.use_xla,
            kernel_init=nn.initializers.he_normal(),
            name='conv',
        )(x)
        if self.norm is not None:
            options = {} if self.epsilon is None else {'epsilon': self.epsilon}
            x = self.norm(name='norm', **options)(x, train=train, domain=domain)
        return x if self.activate is None else self.activate(x)


class LayerNorm(nn.Module):
    """Layer normalisation over the last axis (Ba et al. 2016, arXiv:1607.06450).

    y = scale (x - mean(x)) / sqrt(var(x) + epsilon) + shift, each vector by itself.
    Nothing depends on the batch, so the norm policies of domains do not apply to it.
    Statistics are float32; the output has the type of the input.
    """

    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1:]
        scale = self.param('scale', nn.initializers.ones, channels)
        shift = self.param('shift', nn.initializers.zeros, channels)
        y = nn.standardize(x.astype(jnp.float32), axis=-1, epsilon=self.epsilon)
        return (y * scale + shift).astype(x.dtype)


def gelu(x: Array) -> Array:
    """x times the normal distribution function at x, without approximation."""
    return nn.gelu(x, approximate=False)


def quick_gelu(x: Array) -> Array:
    """x sigmoid(1.702 x), CLIP's approximation of gelu."""
    return x * nn.sigmoid(1.702 * x)


Step = tuple[str, Callable[..., Array]]  # a layer's name, and the layer


def run(
    steps: Sequence[Step],
    x: Array,
    start_after: str,
    end_at: str,
    *,
    train: bool,
    domain: Array | None,
    remat: bool = False,
) -> tuple[Array, dict[str, Array]]:
    """Run the named layers after `start_after`, up to and including `end_at`.

    Args:
      steps: (name, layer) in order; a layer that is not run makes no parameters.
        Modules are called as layer(x, train=..., domain=...), functions as layer(x).
      start_after: the layer whose activation is x; '' to start with the first layer.
      end_at: the last layer to run; '' to run to the end.
      remat: store only the input of each module for the backward pass, which recomputes
        the module: less memory for a third more time (Chen et al. 2016,
        arXiv:1604.06174).

    Returns:
      (activation of the last layer in float32, {name: activation} of all layers run).

    Raises:
      ValueError: no layer has the given name, or no layer lies between the two.
    """
    names = [name for name, _ in steps]
    for field, name in (('start_after', start_after), ('end_at', end_at)):
        if name and name not in names:
            raise ValueError(f'{field}={name!r} is no layer; choose from {names}')
    first = names.index(start_after) + 1 if start_after else 0
    last = names.index(end_at) + 1 if end_at else len(names)
    if first >= last:
        raise ValueError(
            f'start_after={start_after!r}, end_at={end_at!r}: no layer lies between'
        )
    taps = {}
    call = {'train': train, 'domain': domain}
    for name, step in steps[first:last]:
        if not isinstance(step, nn.Module):
            x = step(x)
        elif remat:
            x = nn.remat(lambda layer, x: layer(x, **call))(step, x)
        else:
            x = step(x, **call)
        taps[name] = x
    return x.astype(jnp.float32), taps


def classifier(
    classes: int, dropout: float, dtype: jnp.dtype, train: bool
) -> list[Step]:
    """The layers 'average' and 'logits' on a map; only the first if classes is 0."""

    def logits(x):
        x = nn.Dropout(dropout, deterministic=not train)(x)
        return nn.Dense(classes, dtype=dtype, name='logits')(x)

    steps = [('average', average), ('logits', logits)]
    return steps if classes else steps[:1]


def three_dense(
    classes: int,
    hidden: int,
    *,
    side: int,
    convolutional: bool,
    dropouts: tuple[float, float, float],
    relu: Activation,
    dtype: jnp.dtype,
    train: bool,
) -> list[Step]:
    """The layers fc6, fc7 and logits on a map; only the first two if classes is 0.

    Args:
      side: side of the map that fc6 reads; the dense form averages other maps to it.
      convolutional: make fc6 a convolution with a window of that side, and the others
        1x1 convolutions, so that the output is a map.
      dropouts: rates before each of the three, in training.
    """

    def dense(name, features, window, dropout):
        def step(x):
            if name == 'fc6' and not convolutional:
                x = flatten(ops.average_pool(x, side))
            x = nn.Dropout(dropout, deterministic=not train)(x)
            if convolutional:
                x = Conv(features, window, dtype=dtype, name=name)(x)
            else:
                x = nn.Dense(features, dtype=dtype, name=name)(x)
            return x if name == 'logits' else relu(x)

        return name, step

    names, widths = ('fc6', 'fc7', 'logits'), (hidden, hidden, classes)
    steps = map(dense, names, widths, (side, 1, 1), dropouts)
    return list(steps)[: 3 if classes else 2]


def average(x: Array) -> Array:
    """Global average pool, (n, h, w, c) -> (n, c)."""
    return x.astype(jnp.float32).mean((1, 2))


def flatten(x: Array) -> Array:
    """(n, ...) -> (n, d)."""
    return x.reshape(x.shape[0], -1)
