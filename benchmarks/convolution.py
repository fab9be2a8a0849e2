"""Convolution and pooling on this backend: which form is fast for which layer.

    python -m benchmarks.convolution [--json] [--rounds N] [--only REGEX] [--out FILE]
    python -m benchmarks.convolution --malloc [--rounds N] [--only REGEX] [--json]

For each layer of Ganin's three nets and of LeNet, and two of a ResNet, at 128 images:
the forward pass, and forward with gradients (of the input too, except in first layers),
as XLA's convolution and as a matrix product of patches. For each pool: reshape, slices
and reduce_window.
--malloc repeats it in two processes, the second with large buffers on huge pages
(glibc's), because fetching fresh pages is a large part of what patches cost.
Sides take turns, and minima of short rounds count: see benchmarks/timing.py.
"""

import functools
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import malloc, timing
from transfer_jax.ops import convolution, windows

N = 128
# {name: (side, channels in, channels out, window, padding)}
LAYERS = {
    'mnist/conv_1': (28, 3, 32, 5, 0),
    'mnist/conv_2': (12, 32, 48, 5, 0),
    'lenet/conv_1': (28, 1, 20, 5, 0),
    'lenet/conv_2': (12, 20, 50, 5, 0),
    'svhn/conv_1': (32, 3, 64, 5, 2),
    'svhn/conv_2': (15, 64, 64, 5, 2),
    'svhn/conv_3': (7, 64, 128, 5, 2),
    'signs/conv_1': (40, 3, 96, 5, 0),
    'signs/conv_2': (18, 96, 144, 3, 0),
    'signs/conv_3': (8, 144, 256, 5, 0),
    # Of a ResNet, at 64 and at 96 pixels: smaller than its window, and not.
    'resnet/block4': (2, 512, 512, 3, 1),
    'resnet/block4_96': (3, 512, 512, 3, 1),
}
# {name: (side, channels)}; windows of 2, without overlap
POOLS = {'mnist/pool_1': (24, 32), 'mnist/pool_2': (8, 48), 'signs/pool_1': (36, 96)}
FORMS = {'patches': convolution.by_patches, 'xla': convolution.by_xla}


def by_reshape(x: jax.Array, window: int) -> jax.Array:
    """max_pool as jnp.max, whose gradient is not safe: see ops/windows.py."""
    n, h, w, c = x.shape
    parts = x.reshape(n, h // window, window, w // window, window, c)
    return parts.max((2, 4))


def by_reduce_window(x: jax.Array, window: int) -> jax.Array:
    """max_pool by XLA's reduce_window."""
    size = (1, window, window, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, size, size, 'VALID')


POOLING = {
    'reshape': by_reshape,
    'slices': windows.max_pool,
    'reduce_window': by_reduce_window,
}


def calls(function, arguments, differentiate):
    """{'forward', 'gradient'}: calls that wait for the result."""
    output = jax.eval_shape(function, *arguments)
    g = jnp.ones(output.shape)

    def both(*values):
        def partial(*some):
            full = list(values)
            for place, value in zip(differentiate, some, strict=True):
                full[place] = value
            return function(*full)

        y, pull = jax.vjp(partial, *(values[place] for place in differentiate))
        return y, pull(g)

    forward, gradient = jax.jit(function), jax.jit(both)
    return {
        'forward': lambda: jax.block_until_ready(forward(*arguments)),
        'gradient': lambda: jax.block_until_ready(gradient(*arguments)),
    }


def measure(only: str, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """{'layer pass': {form: times}}."""
    rng = np.random.default_rng(0)
    result = {}

    def compare(name, forms, arguments, differentiate):
        each = {
            form: calls(function, arguments, differentiate)
            for form, function in forms.items()
        }
        for part in ('forward', 'gradient'):
            sides = {form: pair[part] for form, pair in each.items()}
            result[f'{name} {part}'] = timing.paired(sides, rounds=rounds, repeats=2)

    def array(*shape):
        return jnp.asarray(rng.standard_normal(shape), jnp.float32)

    for name, (side, c, k, window, padding) in LAYERS.items():
        if re.search(only, name):
            forms = {
                form: functools.partial(function, padding=padding)
                for form, function in FORMS.items()
            }
            arguments = array(N, side, side, c), array(window, window, c, k)
            wanted = (1,) if name.endswith('conv_1') else (0, 1)
            compare(name, forms, arguments, wanted)
    for name, (side, c) in POOLS.items():
        if re.search(only, name):
            forms = {
                form: functools.partial(function, window=2)
                for form, function in POOLING.items()
            }
            compare(name, forms, (array(N, side, side, c),), (0,))
    return result


def main() -> None:
    parser = timing.parser('Time convolutions and pools.')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--only', default='', help='regex of layer names')
    parser.add_argument('--malloc', action='store_true', help='with each allocator')
    flags = parser.parse_args()

    if flags.malloc:
        own = ['--rounds', str(flags.rounds), '--only', flags.only]
        for setting in malloc.WAYS.values():
            environment = {**os.environ, 'GLIBC_TUNABLES': setting}
            command = [sys.executable, '-m', 'benchmarks.convolution', *own]
            command += ['--json'] if flags.json else []
            subprocess.run(command, env=environment, check=True)
        return

    measured = measure(flags.only, flags.rounds)
    result = {'machine': timing.machine(), 'milliseconds': measured}
    rows = {
        f'{name}, {form}': times
        for name, forms in measured.items()
        for form, times in forms.items()
    }
    text = ', '.join(f'{k} {v}' for k, v in result['machine'].items())
    timing.show(
        result, f'{text}\n{timing.table(rows)}', as_json=flags.json, out=flags.out
    )


if __name__ == '__main__':
    main()
