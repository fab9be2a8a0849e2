"""A fine-tuning step that trains only the head, against one that trains all layers.

    python -m benchmarks.freezing [--json] [--rounds N] [--only REGEX] [--out FILE]

Nothing reads the gradients of frozen leaves (optim.freeze), so XLA does not compute
them: no gradient goes below the lowest layer that is trained. Networks:
models.LayeredNet at 28 pixels, 64 images, whose frozen layers keep their batch
statistics, and SqueezeNet at 96 pixels, 32 images. Sides take turns, and minima of
short rounds count: see benchmarks/timing.py.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np

from benchmarks import timing
from transfer_jax import methods, models
from transfer_jax.training import optim

CLASSES = 10
LEAST = 2.0  # the goal: so many times faster


class Network(NamedTuple):
    """An encoder and the size of its batch."""

    encoder: Callable[[Sequence[str]], nn.Module]  # from the names of frozen layers
    below: tuple[str, ...]  # frozen layers of the case 'the upper layers and the head'
    side: int
    images: int


NETWORKS = {
    'layered': Network(
        lambda frozen: models.LayeredNet(norm=models.BatchNorm, frozen=frozen),
        models.LayeredNet.LAYERS[:3],
        28,
        64,
    ),
    'squeezenet': Network(
        lambda frozen: models.SqueezeNet(classes=0),
        ('conv1', 'fire2', 'fire3', 'fire4', 'fire5'),
        96,
        32,
    ),
}


def calls(network: Network) -> dict[str, Callable]:
    """{trained layers: a call that takes one step and waits for it}."""
    rng = np.random.default_rng(0)
    shape = (network.images, network.side, network.side, 3)
    image = rng.normal(size=shape).astype(np.float32)
    label = rng.integers(CLASSES, size=network.images).astype(np.int32)
    batch = jax.device_put({'source': {'image': image, 'label': label}})
    key = jax.random.key(0)
    head = models.Classifier(CLASSES)
    tx = optim.sgd(optim.constant(0.01))

    def side(encoder_tx, frozen=()):
        txs = {'encoder': encoder_tx, 'classifier': tx}
        method = methods.fine_tuning(network.encoder(frozen), head, txs=txs)
        state = jax.jit(method.init)(key, batch)
        step = jax.jit(method.step)
        return lambda: jax.block_until_ready(step(state, batch, key))

    names = jax.eval_shape(
        lambda: network.encoder(()).init(key, image, train=False)['params']
    )
    return {
        'all': side(tx),
        'the upper layers and the head': side(
            optim.freeze(tx, [f'{layer}/.*' for layer in network.below]), network.below
        ),
        'the head': side(optim.freeze(tx, ['.*']), tuple(names)),
    }


def add_flags(parser) -> None:
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--only', default='', help='regex of networks')


def measure(flags, result) -> list[str]:
    """Time the steps of all networks."""
    measured = {
        name: timing.paired(calls(network), rounds=flags.rounds)
        for name, network in NETWORKS.items()
        if re.search(flags.only, name)
    }
    faster = {
        name: sides['all']['min'] / sides['the head']['min']
        for name, sides in measured.items()
    }
    result |= {
        'milliseconds': measured,
        'times_faster': faster,
        'pass': all(times >= LEAST for times in faster.values()),
    }
    rows = {f'{n}: {k}': t for n, sides in measured.items() for k, t in sides.items()}
    return [
        timing.table(rows),
        *(f'{n}: the head alone {x:.1f} times faster' for n, x in faster.items()),
    ]


if __name__ == '__main__':
    timing.run('Time frozen layers.', measure, add_flags)
