"""Convolutions of several runs at once, each run with kernels of its own.

A part of benchmarks.device. The layers are those of Ganin's MNIST net, with 128 images
a run. Every form takes images (r, n, h, w, c) and kernels (r, kh, kw, c, k) and returns
(r, n, h', w', k). Ten of them run in a dispatch, each with other images, as in ten
steps. The gradient of the kernels changes them; that of the images is computed too
where the layer is not the first. The number is the time of all runs by that of one run
alone. Goal: 16 runs cost less than 10.2 times one, as a whole step did before.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import goals, timing
from transfer_jax import ops
from transfer_jax.ops import convolution

# {name: (side, channels in, channels out, window, whether images need a gradient)}
LAYERS = {'conv_1': (28, 3, 32, 5, False), 'conv_2': (12, 32, 48, 5, True)}
TOGETHER = 10  # convolutions in a dispatch
GOAL = 10.2
# In order of importance: (type, whether with gradients).
PASSES = (('float32', True), ('bfloat16', True), ('float32', False))

Form = Callable[[jax.Array, jax.Array], jax.Array]


def grouped(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The runs' channels side by side, a group each."""
    r, n, h, w, c = x.shape
    folded = x.transpose(1, 2, 3, 0, 4).reshape(n, h, w, r * c)
    y = convolution.by_xla(folded, _side_by_side(kernel), groups=r)
    return y.reshape(*y.shape[:3], r, -1).transpose(3, 0, 1, 2, 4)


def grouped_channels_first(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`grouped` with images (n, r c, h, w)."""
    r, n, h, w, c = x.shape
    folded = x.transpose(1, 0, 4, 2, 3).reshape(n, r * c, h, w)
    y = lax.conv_general_dilated(
        folded,
        _side_by_side(kernel),
        (1, 1),
        'VALID',
        dimension_numbers=('NCHW', 'HWIO', 'NCHW'),
        feature_group_count=r,
    )
    return y.reshape(n, r, -1, *y.shape[2:]).transpose(1, 0, 3, 4, 2)


def batch_grouped(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The runs' images in one batch, which XLA divides into groups."""
    r = x.shape[0]
    y = lax.conv_general_dilated(
        x.reshape(-1, *x.shape[2:]),
        _side_by_side(kernel),
        (1, 1),
        'VALID',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        batch_group_count=r,
    )
    return y.reshape(*y.shape[:3], r, -1).transpose(3, 0, 1, 2, 4)


def unrolled(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """One convolution after another in one program."""
    return jnp.stack([ops.convolve(*run) for run in zip(x, kernel, strict=True)])


def _side_by_side(kernel: jax.Array) -> jax.Array:
    """(r, kh, kw, c, k) -> (kh, kw, c, r k)."""
    r, kh, kw, c, k = kernel.shape
    return kernel.transpose(1, 2, 3, 0, 4).reshape(kh, kw, c, r * k)


FORMS: dict[str, Form] = {
    'vmap': jax.vmap(ops.convolve),
    'patches': jax.vmap(convolution.by_patches),
    'grouped': grouped,
    'grouped, channels first': grouped_channels_first,
    'batch groups': batch_grouped,
    'unrolled': unrolled,
}


def measure(settings, result: dict[str, Any]) -> Iterator[goals.Row]:
    """A row for each layer, type and pass; the last is for both layers with gradients.

    Args:
      settings: see device_parts.Settings.
    """
    runs, n, rounds = (2, 4, 1) if settings.small else (16, 128, 5)
    result |= {'runs': runs, 'images': n, 'milliseconds': {}, 'failed': {}}
    for dtype, gradients in PASSES:
        layers = []
        for layer in LAYERS:
            name = f'{layer}, {dtype}{", gradients" * gradients}'
            calls, failed = _working(_calls(layer, runs, n, dtype, gradients))
            times = timing.paired(calls, rounds=rounds, repeats=1)
            result['milliseconds'][name] = times
            result['failed'][name] = failed
            layers.append({form: row['min'] for form, row in times.items()})
            best, ratio = _fastest(layers[-1:])
            vmapped = layers[-1]['vmap'] / layers[-1]['one']
            yield goals.Row(
                f'{name}: {runs} runs by one, the fastest form',
                f'{ratio:.1f} ({best}; vmap {vmapped:.1f})',
            )
        if (dtype, gradients) == PASSES[0]:
            best, ratio = _fastest(layers)
            what = f'both layers, {dtype}, gradients: {runs} runs by one'
            yield goals.at_most(what, ratio, GOAL, note=best)


def _fastest(layers: list[dict[str, float]]) -> tuple[str, float]:
    """(form, its time over all layers by that of one run), of forms in all layers."""
    forms = set.intersection(*map(set, layers)) - {'one'}
    total = {form: sum(layer[form] for layer in layers) for form in (*forms, 'one')}
    best = min(forms, key=total.get)
    return best, total[best] / total['one']


def _calls(layer, runs, n, dtype, gradients) -> dict[str, timing.Call]:
    """{form: call of all runs}, and 'one', a run alone."""
    side, c, k, window, inner = LAYERS[layer]
    rng = np.random.default_rng(0)

    def array(*shape):
        return jnp.asarray(rng.standard_normal(shape), dtype)

    x = array(TOGETHER, runs, n, side, side, c)
    kernel = array(runs, window, window, c, k)

    def call(form, x, kernel):
        ten = jax.jit(ten_in_a_dispatch(form, gradients, inner))
        return lambda: jax.block_until_ready(ten(x, kernel))

    calls = {'one': call(ops.convolve, x[:, 0], kernel[0])}
    return calls | {name: call(form, x, kernel) for name, form in FORMS.items()}


def ten_in_a_dispatch(form: Form, gradients: bool, inner: bool) -> Form:
    """f(images (t, ...), kernel) -> the last kernel, after t convolutions.

    Args:
      gradients: of the kernel, which changes it.
      inner: with the gradient of the images.
    """

    def body(kernel, x):
        if not gradients:
            return kernel, form(x, kernel).max()
        if inner:
            y, pull = jax.vjp(form, x, kernel)
            changed, step = pull(y)
        else:
            y, pull = jax.vjp(lambda kernel: form(x, kernel), kernel)
            changed, (step,) = y, pull(y)
        return kernel - (1e-6 * step).astype(kernel.dtype), changed.max()

    return lambda x, kernel: lax.scan(body, kernel, x)


def _working(calls) -> tuple[dict[str, timing.Call], dict[str, str]]:
    """The calls that this backend can compile, and why it cannot the others."""
    working, failed = {}, {}
    for name, call in calls.items():
        try:
            call()
            working[name] = call
        except jax.errors.JaxRuntimeError as error:
            failed[name] = str(error).splitlines()[0]
    return working, failed
