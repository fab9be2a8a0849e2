"""A step of fine-tuning where only the head is trained, against one that trains all.

    python -m benchmarks.freezing [--json] [--rounds N] [--out FILE]

Frozen leaves are constants of the loss (optim.freeze, training.make_step), so that no
gradient goes below the lowest layer that is trained. The networks: models.LayeredNet
at 28 pixels, batch 64. Frozen layers keep their batch statistics. 'masked only' takes
all gradients and throws the frozen ones away: it is as fast, since XLA drops what
nobody reads; but then a gradient's norm would count frozen leaves.
Sides take turns, and minima of short rounds count: see benchmarks/timing.py.
"""

import argparse

import jax
import numpy as np
import optax

from benchmarks import timing
from transfer_jax import methods, models
from transfer_jax.training import optim

BATCH, SIDE, CLASSES = 64, 28, 10
LAYERS = models.LayeredNet.LAYERS
LEAST = 2.0  # times faster, to pass


def _side(batch, frozen=(), masked=False):
    """A call that takes one step and waits for it."""
    tx = optim.sgd(optim.constant(0.01))
    patterns = [f'{layer}/.*' for layer in frozen]
    own = optim.freeze(tx, patterns) if frozen else tx
    if masked:  # the same transform, without its word on what is frozen
        own = optax.GradientTransformationExtraArgs(own.init, own.update)
    method = methods.fine_tuning(
        models.LayeredNet(norm=models.BatchNorm, frozen=frozen),
        models.Classifier(CLASSES),
        txs={'encoder': own, 'classifier': tx},
    )
    key = jax.random.key(0)
    state = jax.jit(method.init)(key, batch)
    step = jax.jit(method.step)
    return lambda: jax.block_until_ready(step(state, batch, key))


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """{what is trained: times}."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(BATCH, SIDE, SIDE, 3)).astype(np.float32)
    label = rng.integers(CLASSES, size=BATCH).astype(np.int32)
    batch = jax.device_put({'source': {'image': image, 'label': label}})
    sides = {
        'all': _side(batch),
        'the last two layers and the head': _side(batch, LAYERS[:3]),
        'the head': _side(batch, LAYERS),
        'the head, masked only': _side(batch, LAYERS, masked=True),
    }
    return timing.paired(sides, rounds=rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description='Time frozen layers.')
    parser.add_argument('--json', action='store_true', help='print JSON')
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--out', default='', help='write JSON to this file')
    flags = parser.parse_args()
    measured = measure(flags.rounds)
    faster = measured['all']['min'] / measured['the head']['min']
    result = {
        'machine': timing.machine(),
        'milliseconds': measured,
        'times_faster': faster,
        'pass': faster >= LEAST,
    }
    text = ', '.join(f'{k} {v}' for k, v in result['machine'].items())
    verdict = f'the head alone: {faster:.1f} times faster (at least {LEAST:.0f})'
    timing.show(
        result,
        f'{text}\n{timing.table(measured)}\n{verdict}',
        as_json=flags.json,
        out=flags.out,
    )


if __name__ == '__main__':
    main()
