"""What DAN and CORAL cost on ResNet-50's features, over the same step at weight 0.

    python -m benchmarks.overhead [--size 224] [--batch 128] [--rounds N] [--json]
        [--out FILE]

A step of both domains through ResNet-50 (bfloat16 on an accelerator), with the loss on
the 2,048 features, against the same step with its weight a constant 0, which XLA may
leave out. On CPU images are small and few by default. Goal: below 5 %.
"""

import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from benchmarks.dann_step import Ours
from transfer_jax import methods, models
from transfer_jax.training import optim

CLASSES = 12
GOAL = 0.05


def build(name: str, weight: float):
    """DAN or CORAL on the features alone."""
    dtype = jnp.bfloat16 if timing.on_accelerator() else jnp.float32
    encoder = models.ResNet(classes=0, dtype=dtype)
    tx = optim.sgd(optim.constant(1e-3))
    given = {'txs': {'encoder': tx, 'classifier': tx}, 'layers': ('features',)}
    make = {'dan': methods.dan, 'coral': methods.deep_coral}[name]
    classifier = models.Classifier(CLASSES)
    return make(encoder, classifier, weight=optim.constant(weight), **given)


def batch(size: int, n: int) -> dict:
    """n random images of each domain."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, n, size, size, 3)).astype(np.float32)
    label = rng.integers(CLASSES, size=n).astype(np.int32)
    return {
        'source': {'image': images[0], 'label': label},
        'target': {'image': images[1]},
    }


def main() -> None:
    accelerated = timing.on_accelerator()
    parser = timing.parser('Time what a loss adds to a step.')
    parser.add_argument('--size', type=int, default=224 if accelerated else 64)
    parser.add_argument(
        '--batch', type=int, default=128 if accelerated else 16, help='of each domain'
    )
    parser.add_argument('--rounds', type=int, default=8)
    flags = parser.parse_args()

    both = batch(flags.size, flags.batch)
    result = {'machine': timing.machine(), 'size': flags.size, 'batch': flags.batch}
    lines = [', '.join(f'{k} {v}' for k, v in result['machine'].items())]
    sides = {'weight 0': Ours(build('dan', 0.0), both)}
    sides |= {name: Ours(build(name, 1.0), both) for name in ('dan', 'coral')}
    times = timing.paired(sides, rounds=flags.rounds, repeats=1)
    result['milliseconds'] = times
    lines.append(timing.table(times))
    for name in ('dan', 'coral'):
        shares = {k: times[name][k] / times['weight 0'][k] - 1 for k in times[name]}
        result[name] = shares
        met = 'met' if shares['median'] < GOAL else 'missed'
        lines.append(f'{name} adds {shares["median"]:+.1%}: {met}')
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
