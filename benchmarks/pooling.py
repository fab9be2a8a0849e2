"""Poolings of score maps with gradients: this library against PyTorch.

    python -m benchmarks.pooling [--json] [--rounds N] [--out FILE]

32 images, 28 x 28 positions, 20 classes: the maximum, log-sum-exp, WELDON with 1 and 3
positions of each kind, and WILDCAT with a fifth of the positions and with all. Each
side computes the scores and the gradient of their sum. PyTorch runs eagerly, as a user
writes it: torch.topk, torch.sort as in the published code, or maximum and mean where
these are the same (the fastest counts); its maps have channels first.
Goal: ratio of medians <= 1 on CPU. See benchmarks/adaptation_losses.py on threads.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from transfer_jax import ops

SHAPE = (32, 28, 28, 20)
ALL = SHAPE[1] * SHAPE[2]
REGIONS, SHARE, ALPHA, TEMPERATURE = 3, 0.2, 0.7, 5.0
OURS = {
    'max': ops.global_max,
    'lse': functools.partial(ops.log_sum_exp, temperature=TEMPERATURE),
    'weldon, 1 place': functools.partial(ops.weldon, highest=1, lowest=1),
    'weldon': functools.partial(ops.weldon, highest=REGIONS, lowest=REGIONS),
    'wildcat': functools.partial(ops.wildcat, highest=SHARE, lowest=SHARE, alpha=ALPHA),
    'wildcat, all places': functools.partial(
        ops.wildcat, highest=ALL, lowest=ALL, alpha=ALPHA
    ),
}


def ours(pool, maps):
    """A call of the compiled scores and gradient."""
    compiled = jax.jit(jax.value_and_grad(lambda x: jnp.sum(pool(x))))
    maps = jax.device_put(maps)
    return lambda: jax.block_until_ready(compiled(maps))


def theirs(maps):
    """{task: {name: call that returns the sum}} of PyTorch; {} without it."""
    pytorch = timing.pytorch()
    if pytorch is None:
        return {}
    torch, device = pytorch

    def by_topk(k, alpha):
        def pool(x):
            rows = x.flatten(2)
            high = rows.topk(k, 2).values.mean(2)
            return high + alpha * rows.topk(k, 2, largest=False).values.mean(2)

        return pool

    def by_sort(k, alpha):
        def pool(x):
            rows = x.flatten(2).sort(2).values
            return rows[:, :, -k:].mean(2) + alpha * rows[:, :, :k].mean(2)

        return pool

    def lse(x):
        rows = TEMPERATURE * x.flatten(2)
        return (torch.logsumexp(rows, 2) - np.log(ALL)) / TEMPERATURE

    def call(pool):
        x = torch.tensor(maps.transpose(0, 3, 1, 2).copy(), device=device)
        x.requires_grad_()

        def once():
            x.grad = None
            value = pool(x).sum()
            value.backward()
            return value.item()  # waits for the device

        return once

    share = int(SHARE * ALL + 0.5)
    return {
        'max': {
            'torch, amax': call(lambda x: x.amax((2, 3))),
            'torch, max': call(lambda x: x.flatten(2).max(2).values),
        },
        'lse': {'torch': call(lse)},
        'weldon, 1 place': {
            'torch, max': call(
                lambda x: x.flatten(2).max(2).values + x.flatten(2).min(2).values
            ),
            'torch, topk': call(by_topk(1, 1.0)),
            'torch, sort': call(by_sort(1, 1.0)),
        },
        'weldon': {
            'torch, topk': call(by_topk(REGIONS, 1.0)),
            'torch, sort': call(by_sort(REGIONS, 1.0)),
        },
        'wildcat': {
            'torch, topk': call(by_topk(share, ALPHA)),
            'torch, sort': call(by_sort(share, ALPHA)),
        },
        'wildcat, all places': {
            'torch, mean': call(lambda x: (1 + ALPHA) * x.mean((2, 3))),
            'torch, topk': call(by_topk(ALL, ALPHA)),
            'torch, sort': call(by_sort(ALL, ALPHA)),
        },
    }


def add_flags(parser) -> None:
    parser.add_argument('--rounds', type=int, default=30)


def measure(flags, result) -> list[str]:
    """Race all poolings."""
    maps = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    calls = {task: ours(pool, maps) for task, pool in OURS.items()}
    return timing.race_pytorch(
        result, calls, theirs(maps), rounds=flags.rounds, atol=0.1
    )


if __name__ == '__main__':
    timing.run('Time poolings of score maps.', measure, add_flags)
