"""The losses of DAN and CORAL, forwards and backwards: ours against PyTorch.

    python -m benchmarks.adaptation_losses [--json] [--rounds N] [--out FILE]

DAN's is the MMD of five Gaussians around the median distance, found anew at each call,
of 128 + 128 rows of 256 features; CORAL's that of 128 + 128 rows of 2,048 features.
Each side computes the loss and its gradient with respect to both samples. PyTorch runs
eager, as a user writes it: distances by torch.cdist or by a matrix product (the faster
of them counts), torch.median, and covariance matrices of d x d. Both have as many
threads as there are processors they may use. On a busy machine PyTorch's threads wait
for one another, up to a hundred times longer than they work: then compare under
`taskset -c 0`, one thread each. Sides take turns in short rounds: see
benchmarks/timing.py. Goal: ratio of medians <= 1 on CPU.
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
    """As methods.dan computes it for a layer."""
    kernel = ops.multi_kernel(jnp.concatenate([source, target]))
    return losses.mmd_biased(source, target, kernel=kernel)


def ours(loss, pair):
    """A call of the compiled value and gradient."""
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1)))
    pair = jax.device_put(pair)
    return lambda: jax.block_until_ready(compiled(*pair))


def theirs(pairs):
    """{task: {name: call}} of PyTorch, with the value each call gives; or {}."""
    found = timing.pytorch()
    if found is None:
        return {}
    torch, device = found

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


def main() -> None:
    parser = timing.parser('Time the losses of DAN and CORAL.')
    parser.add_argument('--rounds', type=int, default=50)
    flags = parser.parse_args()

    pairs = {'dan': samples(FEATURES), 'coral': samples(WIDE)}
    result = {'machine': timing.machine()}
    lines = [', '.join(f'{k} {v}' for k, v in result['machine'].items())]
    other = theirs(pairs)
    for task, loss in (('dan', dan), ('coral', losses.coral)):
        mine = ours(loss, pairs[task])
        for name, call in other.get(task, {}).items():
            # A race between two different numbers would say nothing.
            np.testing.assert_allclose(mine()[0], call(), rtol=1e-3, err_msg=name)
        result[task], told = timing.race(mine, other.get(task, {}), rounds=flags.rounds)
        lines += [f'{task}:', *told]
    if other:
        result['machine'] |= timing.torch_version()
    else:
        lines.append(timing.INSTALL)
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
