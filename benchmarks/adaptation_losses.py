"""Losses of DAN and CORAL with gradients: this library against PyTorch.

    python -m benchmarks.adaptation_losses [--json] [--rounds N] [--out FILE]

DAN's loss is the MMD of 128 + 128 rows of 256 features, with five Gaussians around the
median distance, which every call computes. CORAL's loss has 128 + 128 rows of 2,048
features. Each side computes the loss and its gradient with respect to both samples.
PyTorch runs eagerly, as a user writes it: distances by torch.cdist or by a matrix
product (the faster counts), torch.median, and covariance matrices of d x d. Both sides
have a thread per usable processor. On a busy machine PyTorch's threads wait for one
another, up to a hundred times longer than they work. Then compare under `taskset -c 0`,
with one thread each. Sides take turns in short rounds: see benchmarks/timing.py.
Goal: ratio of medians <= 1 on CPU.
"""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from transfer_jax import losses, ops

HALF, FEATURES, WIDE = 128, 256, 2048


def samples(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Two samples of rectified features."""
    rng = np.random.default_rng(0)
    source, target = (rng.normal(mean, 1, (HALF, d)) for mean in (0.0, 0.3))
    return tuple(np.maximum(x, 0).astype(np.float32) for x in (source, target))


def dan(source, target):
    """DAN's loss of one layer, as methods.dan computes it."""
    kernel = ops.multi_kernel(jnp.concatenate([source, target]))
    return losses.mmd_biased(source, target, kernel=kernel)


def ours(loss, pair):
    """A call of the compiled loss and its gradient."""
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1)))
    pair = jax.device_put(pair)
    return lambda: jax.block_until_ready(compiled(*pair))


def theirs(pairs):
    """{task: {name: call that returns the loss}} of PyTorch; {} without it."""
    pytorch = timing.pytorch()
    if pytorch is None:
        return {}
    torch, device = pytorch

    def by_cdist(x):
        return torch.cdist(x, x).square()

    def by_product(x):
        lengths = x.square().sum(1)
        return (lengths[:, None] + lengths - 2 * x @ x.T).clamp(min=0)

    def mmd(distances):
        between = ~torch.eye(2 * HALF, dtype=torch.bool, device=device)

        def loss(source, target):
            d = distances(torch.cat([source, target]))
            median = torch.median(d.detach()[between])
            gram = sum(torch.exp(-d / (median * 2.0**k)) for k in range(-2, 3)) / 5
            same = gram[:HALF, :HALF].mean() + gram[HALF:, HALF:].mean()
            return same - 2 * gram[:HALF, HALF:].mean()

        return loss

    def coral(source, target):
        def covariance(x):
            x = x - x.mean(0)
            return x.T @ x / (len(x) - 1)

        gap = covariance(source) - covariance(target)
        return gap.square().sum() / (4 * source.shape[1] ** 2)

    def call(loss, pair):
        source, target = (torch.tensor(x, device=device) for x in pair)
        source.requires_grad_()
        target.requires_grad_()

        def once():
            source.grad = target.grad = None
            value = loss(source, target)
            value.backward()
            return value.item()  # waits for the device

        return once

    return {
        'dan': {
            'torch, cdist': call(mmd(by_cdist), pairs['dan']),
            'torch, product': call(mmd(by_product), pairs['dan']),
        },
        'coral': {'torch': call(coral, pairs['coral'])},
    }


def add_flags(parser) -> None:
    parser.add_argument('--rounds', type=int, default=50)


def measure(flags, result) -> list[str]:
    """Race both losses."""
    pairs = {'dan': samples(FEATURES), 'coral': samples(WIDE)}
    calls = {
        'dan': ours(dan, pairs['dan']),
        'coral': ours(losses.coral, pairs['coral']),
    }
    return timing.race_pytorch(result, calls, theirs(pairs), rounds=flags.rounds)


if __name__ == '__main__':
    timing.run('Time the losses of DAN and CORAL.', measure, add_flags)
