"""Fine-tuning ResNet-50: images a second against PyTorch and the device's own rate.

    python -m benchmarks.resnet50 [--size 224] [--batch 128] [--rounds N] [--compile]
        [--json] [--out FILE]

A step of momentum SGD on all layers, with updates of the batch statistics. It runs in
bfloat16 with float32 parameters on an accelerator, and in float32 on CPU, where images
are small and few by default. PyTorch has the same network (bottlenecks with the stride
in the 3x3 convolution), autocast to bfloat16 on a GPU, eagerly in channels_last, with
--compile also under torch.compile. The share of the device is the step's 3 x 2 x 4.1e9
operations per image (at 224 pixels), divided by the rate of a product of 8192 x 8192
matrices in the same run. Goal: faster than PyTorch on the same GPU.
"""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from benchmarks.dann_step import CompiledStep
from transfer_jax import methods, models
from transfer_jax.training import optim

CLASSES = 100
BLOCKS, WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)
MULTIPLICATIONS = 4.1e9 / 224**2  # per pixel in a forward pass
RATE, MOMENTUM = 0.01, 0.9


def batch(size: int, n: int) -> dict:
    """n random images."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(n, size, size, 3)).astype(np.float32)
    return {
        'source': {
            'image': image,
            'label': rng.integers(CLASSES, size=n).astype(np.int32),
        }
    }


def method():
    """Supervised training with one learning rate for all layers."""
    dtype = jnp.bfloat16 if timing.on_accelerator() else jnp.float32
    encoder = models.ResNet(classes=0, dtype=dtype)
    tx = optim.sgd(optim.constant(RATE), momentum=MOMENTUM)
    txs = {'encoder': tx, 'classifier': tx}
    return methods.supervised(encoder, models.Classifier(CLASSES), txs=txs)


def theirs(given: dict, compiled: bool):
    """The same step in PyTorch; None without it."""
    pytorch = timing.pytorch()
    if pytorch is None:
        return None
    torch, device = pytorch
    from torch import nn
    from torch.nn import functional

    def unit(inside, outside, window, stride=1):
        return nn.Sequential(
            nn.Conv2d(inside, outside, window, stride, window // 2, bias=False),
            nn.BatchNorm2d(outside),
        )

    class Bottleneck(nn.Module):
        def __init__(self, inside, width, stride):
            super().__init__()
            self.first = unit(inside, width, 1)
            self.second = unit(width, width, 3, stride)
            self.third = unit(width, 4 * width, 1)
            same = inside == 4 * width and stride == 1
            self.shortcut = None if same else unit(inside, 4 * width, 1, stride)

        def forward(self, x):
            y = functional.relu(self.first(x), inplace=True)
            y = self.third(functional.relu(self.second(y), inplace=True))
            x = x if self.shortcut is None else self.shortcut(x)
            return functional.relu(x + y, inplace=True)

    layers = [unit(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True)):
        for i in range(blocks):
            stride = 2 if stage and not i else 1
            layers.append(Bottleneck(inside, width, stride))
            inside = 4 * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, CLASSES)]
    net = nn.Sequential(*layers).to(device, memory_format=torch.channels_last)
    image = torch.tensor(given['source']['image'], device=device).permute(0, 3, 1, 2)
    image = image.contiguous(memory_format=torch.channels_last)
    label = torch.tensor(given['source']['label'], device=device).long()
    sgd = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, foreach=True)
    forward = torch.compile(net) if compiled else net

    def step():
        sgd.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=device == 'cuda'):
            loss = functional.cross_entropy(forward(image), label)
        loss.backward()
        sgd.step()
        loss.item()  # waits for the device

    return step


def matrix_rate(side: int) -> float:
    """Operations a second of a product of square matrices, the best of some rounds."""
    dtype = jnp.bfloat16 if timing.on_accelerator() else jnp.float32
    x = jnp.ones((side, side), dtype)
    product = jax.jit(jnp.matmul)
    times = timing.paired(
        {'product': lambda: jax.block_until_ready(product(x, x))}, rounds=5
    )
    return 2 * side**3 / (times['product']['min'] / 1e3)


def add_flags(parser) -> None:
    accelerated = timing.on_accelerator()
    parser.add_argument('--size', type=int, default=224 if accelerated else 96)
    parser.add_argument('--batch', type=int, default=128 if accelerated else 16)
    parser.add_argument('--rounds', type=int, default=6)
    parser.add_argument('--compile', action='store_true', help='torch.compile as well')


def measure(flags, result) -> list[str]:
    """Race the steps, and compare ours with the rate of a matrix product."""
    given = batch(flags.size, flags.batch)
    sides = {'ours': CompiledStep(method(), given), 'torch eager': theirs(given, False)}
    if flags.compile:
        sides['torch compiled'] = theirs(given, True)
    sides = {name: call for name, call in sides.items() if call is not None}
    times = timing.paired(sides, rounds=flags.rounds, repeats=1)
    rates = {name: 1e3 * flags.batch / row['min'] for name, row in times.items()}
    result |= {'size': flags.size, 'batch': flags.batch}
    result |= {'milliseconds': times, 'images_a_second': rates}
    operations = 6 * MULTIPLICATIONS * flags.size**2 * rates['ours']
    result['share'] = operations / matrix_rate(
        8192 if timing.on_accelerator() else 2048
    )
    lines = [timing.table(times)]
    lines += [f'{name}: {rate:.1f} images a second' for name, rate in rates.items()]
    lines.append(f'share of the measured matrix rate: {result["share"]:.0%}')
    others = [name for name in rates if name != 'ours']
    if others:
        result['machine'] |= timing.torch_version()
        result['ratio'] = max(rates[name] for name in others) / rates['ours']
        lines.append(f'time, ours / the fastest of theirs: {result["ratio"]:.2f}')
    else:
        lines.append(timing.INSTALL)
    return lines


if __name__ == '__main__':
    timing.run('Time fine-tuning of ResNet-50.', measure, add_flags)
