"""Convolution and pooling on this backend: the fastest form for each layer.

    python -m benchmarks.convolution [--json] [--rounds N] [--only REGEX] [--out FILE]
    python -m benchmarks.convolution --malloc [--rounds N] [--only REGEX] [--json]

For each layer of Ganin's three nets and of LeNet, and two of a ResNet, with 128 images:
the forward pass, and forward with gradients (also of the input, except in first
layers), as XLA's convolution and as a matrix product of patches. For each pool:
reshape, slices and reduce_window.
--malloc repeats this in a process for each setting of benchmarks/malloc.py, one of them
with large buffers on glibc's huge pages, because fetching new pages is a large part of
the cost of patches.
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
    # Of a ResNet at 64 and 96 pixels; the first map is smaller than its window.
    'resnet/block4': (2, 512, 512, 3, 1),
    'resnet/block4_96': (3, 512, 512, 3, 1),
}
# {name: (side, channels)}; windows of 2, without overlap
POOLS = {'mnist/pool_1': (24, 32), 'mnist/pool_2': (8, 48), 'signs/pool_1': (36, 96)}
FORMS = {'patches': convolution.by_patches, 'xla': convolution.by_xla}


def by_reshape(x: jax.Array, window: int) -> jax.Array:
    """max_pool by jnp.max, whose gradient is not safe: see ops/windows.py."""
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
    """{'forward': call, 'gradient': call}; both wait for the result."""
    output = jax.eval_shape(function, *arguments)
    g = jnp.ones(output.shape)

    def both(*values):
        def partial(*some):
            full = list(values)
            for index, value in zip(differentiate, some, strict=True):
                full[index] = value
            return function(*full)

        y, pull = jax.vjp(partial, *(values[index] for index in differentiate))
        return y, pull(g)

    forward, gradient = jax.jit(function), jax.jit(both)
    return {
        'forward': lambda: jax.block_until_ready(forward(*arguments)),
        'gradient': lambda: jax.block_until_ready(gradient(*arguments)),
    }


def compare_all(only: str, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
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


def add_flags(parser) -> None:
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--only', default='', help='regex of layer names')
    parser.add_argument('--malloc', action='store_true', help='with each allocator')


def measure(flags, result) -> list[str]:
    """Compare the forms of every layer and pool."""
    measured = compare_all(flags.only, flags.rounds)
    result['milliseconds'] = measured
    rows = {
        f'{name}, {form}': times
        for name, forms in measured.items()
        for form, times in forms.items()
    }
    return [timing.table(rows)]


def with_each_allocator(arguments: list[str]) -> None:
    """This benchmark in one process for each setting of malloc."""
    for setting in malloc.WAYS.values():
        environment = {**os.environ, 'GLIBC_TUNABLES': setting}
        command = [sys.executable, '-m', 'benchmarks.convolution', *arguments]
        subprocess.run(command, env=environment, check=True)


if __name__ == '__main__':
    if '--malloc' in sys.argv:
        with_each_allocator([flag for flag in sys.argv[1:] if flag != '--malloc'])
    else:
        timing.run('Time convolutions and pools.', measure, add_flags)
