"""Poolings of score maps, forwards and backwards: ours against PyTorch.

    python -m benchmarks.pooling [--json] [--rounds N] [--out FILE]

32 images, 28 x 28 places, 20 classes: the maximum, log-sum-exp, WELDON with 1 and 3
places of each kind, and WILDCAT with a fifth of them and with all. Each side computes
the scores and the gradient of their sum. PyTorch runs eager, as a user writes it:
torch.topk, or torch.sort as the published code has it (the faster counts, and maximum
and mean where they are the same), its maps channels first.
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
    """{task: {name: call}} of PyTorch; or {}."""
    found = timing.pytorch()
    if found is None:
        return {}
    torch, device = found

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


def main() -> None:
    parser = timing.parser('Time poolings of score maps.')
    parser.add_argument('--rounds', type=int, default=30)
    flags = parser.parse_args()

    maps = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    result = {'machine': timing.machine()}
    lines = [', '.join(f'{k} {v}' for k, v in result['machine'].items())]
    other = theirs(maps)
    for task, pool in OURS.items():
        mine = ours(pool, maps)
        for name, call in other.get(task, {}).items():
            # A race between two different numbers would say nothing.
            np.testing.assert_allclose(
                mine()[0], call(), rtol=1e-3, atol=0.1, err_msg=name
            )
        result[task], told = timing.race(mine, other.get(task, {}), rounds=flags.rounds)
        lines += [f'{task}:', *told]
    if other:
        result['machine'] |= timing.torch_version()
    else:
        lines.append(timing.INSTALL)
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
