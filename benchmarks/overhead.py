"""Time that DAN and CORAL add to a step of ResNet-50, over the same step at weight 0.

    python -m benchmarks.overhead [--size 224] [--batch 128] [--rounds N] [--json]
        [--out FILE]

A step of both domains through ResNet-50 (bfloat16 on an accelerator) with the loss on
the 2,048 features, against the same step with the constant weight 0, where XLA may
leave the loss out. On CPU images are small and few by default. Goal: below 5 %.
"""

import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from benchmarks.dann_step import CompiledStep
from transfer_jax import methods, models
from transfer_jax.training import optim

CLASSES = 12
GOAL = 0.05


def build(name: str, weight: float):
    """DAN or CORAL on the features only."""
    dtype = jnp.bfloat16 if timing.on_accelerator() else jnp.float32
    encoder = models.ResNet(classes=0, dtype=dtype)
    tx = optim.sgd(optim.constant(1e-3))
    options = {'txs': {'encoder': tx, 'classifier': tx}, 'layers': ('features',)}
    make = {'dan': methods.dan, 'coral': methods.deep_coral}[name]
    classifier = models.Classifier(CLASSES)
    return make(encoder, classifier, weight=optim.constant(weight), **options)


def batch(size: int, n: int) -> dict:
    """n random images of each domain."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, n, size, size, 3)).astype(np.float32)
    label = rng.integers(CLASSES, size=n).astype(np.int32)
    return {
        'source': {'image': images[0], 'label': label},
        'target': {'image': images[1]},
    }


def add_flags(parser) -> None:
    accelerated = timing.on_accelerator()
    parser.add_argument('--size', type=int, default=224 if accelerated else 64)
    parser.add_argument(
        '--batch', type=int, default=128 if accelerated else 16, help='of each domain'
    )
    parser.add_argument('--rounds', type=int, default=8)


def measure(flags, result) -> list[str]:
    """Time the steps of both methods and of one without a loss on the features."""
    both = batch(flags.size, flags.batch)
    sides = {'weight 0': CompiledStep(build('dan', 0.0), both)}
    sides |= {name: CompiledStep(build(name, 1.0), both) for name in ('dan', 'coral')}
    times = timing.paired(sides, rounds=flags.rounds, repeats=1)
    result |= {'size': flags.size, 'batch': flags.batch, 'milliseconds': times}
    lines = [timing.table(times)]
    for name in ('dan', 'coral'):
        shares = {k: times[name][k] / times['weight 0'][k] - 1 for k in times[name]}
        result[name] = shares
        met = 'met' if shares['median'] < GOAL else 'missed'
        lines.append(f'{name} adds {shares["median"]:+.1%}: {met}')
    return lines


if __name__ == '__main__':
    timing.run('Time what a loss adds to a step.', measure, add_flags)
