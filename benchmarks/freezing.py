"""A step of fine-tuning where only the head is trained, against one that trains all.

    python -m benchmarks.freezing [--json] [--rounds N] [--only REGEX] [--out FILE]

Frozen leaves are constants of the loss (optim.freeze, training.make_step), so that no
gradient goes below the lowest layer that is trained. 'masked only' takes all gradients
and throws the frozen ones away: it is as fast, since XLA drops what nobody reads; but
then a gradient's norm would count frozen leaves. Networks: models.LayeredNet at 28
pixels, 64 images, whose frozen layers keep their batch statistics, and SqueezeNet at 96
pixels, 32 images. Sides take turns, and minima of short rounds count: see
benchmarks/timing.py.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax

from benchmarks import timing
from transfer_jax import methods, models
from transfer_jax.training import optim

CLASSES = 10
LEAST = 2.0  # times faster, to pass


class Network(NamedTuple):
    """An encoder, made for the layers that are frozen, and its batch."""

    encoder: Callable[[Sequence[str]], nn.Module]
    below: tuple[str, ...]  # layers that are frozen in the middle case
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
    """{what is trained: a call that takes one step and waits for it}."""
    rng = np.random.default_rng(0)
    shape = (network.images, network.side, network.side, 3)
    image = rng.normal(size=shape).astype(np.float32)
    label = rng.integers(CLASSES, size=network.images).astype(np.int32)
    batch = jax.device_put({'source': {'image': image, 'label': label}})
    key = jax.random.key(0)
    head = models.Classifier(CLASSES)
    tx = optim.sgd(optim.constant(0.01))

    def side(own, frozen=()):
        txs = {'encoder': own, 'classifier': tx}
        method = methods.fine_tuning(network.encoder(frozen), head, txs=txs)
        state = jax.jit(method.init)(key, batch)
        step = jax.jit(method.step)
        return lambda: jax.block_until_ready(step(state, batch, key))

    names = jax.eval_shape(
        lambda: network.encoder(()).init(key, image, train=False)['params']
    )
    all_frozen = optim.freeze(tx, ['.*'])
    return {
        'all': side(tx),
        'the upper layers and the head': side(
            optim.freeze(tx, [f'{layer}/.*' for layer in network.below]), network.below
        ),
        'the head': side(all_frozen, tuple(names)),
        'the head, masked only': side(
            # the same transform, without its word on what is frozen
            optax.GradientTransformationExtraArgs(*all_frozen),
            tuple(names),
        ),
    }


def main() -> None:
    parser = timing.parser('Time frozen layers.')
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--only', default='', help='regex of networks')
    flags = parser.parse_args()
    measured = {
        name: timing.paired(calls(network), rounds=flags.rounds)
        for name, network in NETWORKS.items()
        if re.search(flags.only, name)
    }
    faster = {
        name: sides['all']['min'] / sides['the head']['min']
        for name, sides in measured.items()
    }
    result = {
        'machine': timing.machine(),
        'milliseconds': measured,
        'times_faster': faster,
        'pass': all(times >= LEAST for times in faster.values()),
    }
    rows = {f'{n}: {k}': t for n, sides in measured.items() for k, t in sides.items()}
    lines = [
        ', '.join(f'{k} {v}' for k, v in result['machine'].items()),
        timing.table(rows),
        *(f'{n}: the head alone {x:.1f} times faster' for n, x in faster.items()),
    ]
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
