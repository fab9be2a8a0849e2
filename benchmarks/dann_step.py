"""A training step of DANN: this library against PyTorch, and the loop's overhead.

    python -m benchmarks.dann_step [--json] [--rounds N] [--compile] [--out FILE]

Ganin's MNIST net, 64 + 64 images of 28x28x3, momentum SGD with Ganin's schedules, on
the same device with a thread per usable processor. PyTorch runs eagerly in both memory
layouts, with --compile also under torch.compile (a minute more). The ratio is our time
divided by that of the fastest of them. Sides take turns in short rounds, and the
minimum of the rounds counts: see benchmarks/timing.py.

Host overhead is the time of a step in training.fit, with random uint8 images drawn,
normalised and prefetched, minus the time of the bare compiled step, as a share of the
latter. Goals: ratio <= 1 on CPU and <= 1/3 on GPU (with several_steps), overhead < 5 %.
"""

import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from transfer_jax import data, methods, training
from transfer_jax.recipes import networks
from transfer_jax.training import optim, parallel

STEPS = 10_000  # length of the schedules
HALF = 64
TOGETHER = 10  # steps in one dispatch on an accelerator


def build(
    classes: int = 10, steps: int = STEPS, dtype: str = 'float32'
) -> training.Method:
    """DANN, built as in experiments.adaptation.dann.

    Args:
      steps: length of the schedules.
      dtype: of the encoder's computation, see networks.build.
    """
    nets = networks.build('mnist', classes, dtype=dtype)
    tx = optim.sgd(optim.ganin_rate(steps), momentum=0.9)
    return methods.dann(
        nets.encoder,
        nets.classifier,
        nets.discriminator,
        txs={'encoder': tx, 'classifier': tx, 'discriminator': tx},
        strength=optim.ganin_strength(steps),
    )


def stream() -> data.Stream:
    """Random images in the streams of real ones."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2, 5_000, 28, 28, 3), dtype=np.uint8)
    label = rng.integers(0, 10, 5_000).astype(np.int32)
    source = data.Arrays(image[0], label)
    target = data.Images(image[1])
    return data.zipped(
        source=data.labelled(source, batch_size=HALF, seed=0),
        target=data.unlabelled(target, batch_size=HALF, seed=0),
    ).map(data.normalise(np.full(3, 0.5)))


class CompiledStep:
    """The compiled step of a method, always on the same batch."""

    def __init__(self, method, batch):
        self._key = jax.random.key(0)
        self._state = method.init(jax.random.key(1), first(batch))
        self._state = jax.tree.map(jnp.copy, self._state)
        self._step = jax.jit(method.step, donate_argnums=0)
        self._batch = jax.device_put(batch)

    def __call__(self):
        self._state, metrics = self._step(self._state, self._batch, self._key)
        jax.block_until_ready((self._state, metrics))


def first(batch):
    """The first batch of a stack of batches, or the batch itself."""
    if batch['source']['image'].ndim == 5:
        return jax.tree.map(lambda leaf: leaf[0], batch)
    return batch


def torch_net(torch, half: int = HALF):
    """The networks of `build` in PyTorch; the first `half` rows are of the source."""
    from torch import nn

    class Reverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, strength):
            ctx.strength = strength
            return x.view_as(x)

        @staticmethod
        def backward(ctx, gradient):
            return -ctx.strength * gradient, None

    class Dann(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                *(nn.Conv2d(3, 32, 5), nn.MaxPool2d(2), nn.ReLU(inplace=True)),
                *(nn.Conv2d(32, 48, 5), nn.MaxPool2d(2), nn.ReLU(inplace=True)),
                nn.Flatten(),
            )
            self.classifier = nn.Sequential(
                *(nn.Linear(768, 100), nn.ReLU(inplace=True)),
                *(nn.Linear(100, 100), nn.ReLU(inplace=True)),
                nn.Linear(100, 10),
            )
            self.discriminator = nn.Sequential(
                nn.Linear(768, 100), nn.ReLU(inplace=True), nn.Linear(100, 1)
            )

        def forward(self, x, strength):
            features = self.encoder(x)
            domain = self.discriminator(Reverse.apply(features, strength))
            return self.classifier(features[:half]), domain[:, 0]

    return Dann()


def torch_step(batch, *, channels_last, compiled):
    """The same step as a user of PyTorch writes it; None without PyTorch."""
    pytorch = timing.pytorch()
    if pytorch is None:
        return None
    torch, device = pytorch
    from torch.nn import functional

    net = torch_net(torch).to(device)
    images = np.concatenate([batch['source']['image'], batch['target']['image']])
    x = torch.tensor(images, device=device).permute(0, 3, 1, 2).contiguous()
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    label = torch.tensor(batch['source']['label'], device=device).long()
    domain = torch.cat([torch.zeros(HALF), torch.ones(HALF)]).to(device)
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=True)
    rate = torch.optim.lr_scheduler.LambdaLR(
        sgd, lambda step: (1 + 10 * step / STEPS) ** -0.75
    )
    apply = torch.compile(net) if compiled else net
    count = 0

    def step():
        nonlocal count
        strength = 2 / (1 + np.exp(-10 * count / STEPS)) - 1
        count += 1
        sgd.zero_grad(set_to_none=True)
        strength = torch.tensor(strength, dtype=x.dtype, device=device)
        logits, domain_logits = apply(x, strength)
        loss = functional.cross_entropy(logits, label)
        # The sum of the means of both halves is twice the mean over all.
        domain_loss = functional.binary_cross_entropy_with_logits(domain_logits, domain)
        loss = loss + 2 * domain_loss
        loss.backward()
        sgd.step()
        rate.step()
        loss.item()  # waits for the device

    return step


def overhead(method, stream, rounds: int, steps: int = 12) -> dict[str, float]:
    """Milliseconds that the loop and its input add to a step, by paired rounds.

    Both sides compile in each round; the clock starts after step 2, without that.
    """
    batch = jax.device_put(stream[0])
    start = method.init(jax.random.key(1), batch)
    key = jax.random.key(0)

    def loop():
        begin = 0.0

        def hook(t, state, metrics):
            nonlocal begin
            if t in (2, steps):
                jax.block_until_ready((state, metrics))
            if t == 2:
                begin = time.perf_counter()

        training.fit(method, start, stream, key=key, steps=steps, hooks=[hook])
        return (time.perf_counter() - begin) / (steps - 2) * 1e3

    step = jax.jit(method.step, donate_argnums=0)

    def bare():
        state = jax.tree.map(jnp.copy, start)
        for t in range(steps):
            state, metrics = step(state, batch, key)
            if t == 1:
                jax.block_until_ready((state, metrics))
                begin = time.perf_counter()
        jax.block_until_ready((state, metrics))
        return (time.perf_counter() - begin) / (steps - 2) * 1e3

    pairs = [(loop(), bare()) for _ in range(rounds)]
    looped, alone = (min(column) for column in zip(*pairs, strict=True))
    shares = [(one - other) / other for one, other in pairs]
    return {
        'loop': looped,
        'bare': alone,
        'share': (looped - alone) / alone,
        'share_median': statistics.median(shares),
    }


def add_flags(parser) -> None:
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument('--compile', action='store_true', help='torch.compile as well')


def measure(flags, result) -> list[str]:
    """Race the steps, then measure the host overhead."""
    method, batches = build(), stream()
    sides = {'ours': CompiledStep(method, batches[0])}
    if timing.on_accelerator():
        stack = jax.tree.map(
            lambda *rows: np.stack(rows), *(batches[t] for t in range(TOGETHER))
        )
        many = parallel.several_steps(method, TOGETHER)
        sides[f'ours, {TOGETHER} steps together'] = CompiledStep(many, stack)
    for compiled in (False, True) if flags.compile else (False,):
        for layout in (False, True):
            name = f'torch {"compiled" if compiled else "eager"}'
            step = torch_step(batches[0], channels_last=layout, compiled=compiled)
            if step is not None:
                sides[name + (', channels last' if layout else '')] = step

    times = timing.paired(sides, rounds=flags.rounds)
    for name, row in times.items():
        if 'together' in name:
            row.update({key: value / TOGETHER for key, value in row.items()})
    result['milliseconds'] = times
    lines = [timing.table(times)]
    theirs = [name for name in times if name.startswith('torch')]
    if theirs:
        result['machine'] |= timing.torch_version()
        for kind in ('min', 'median', 'cpu'):
            mine = min(row[kind] for name, row in times.items() if name not in theirs)
            best = min(theirs, key=lambda name: times[name][kind])
            result[f'ratio_{kind}'] = mine / times[best][kind]
            lines.append(f'ratio ours / {best} ({kind}): {result[f"ratio_{kind}"]:.2f}')
    else:
        lines.append(timing.INSTALL)
    cost = result['overhead'] = overhead(method, batches, max(2, flags.rounds // 3))
    lines.append(
        f'host overhead, input included: {cost["share"]:+.1%} of a step of '
        f'{cost["bare"]:.1f} ms (minima), {cost["share_median"]:+.1%} (median of pairs)'
    )
    return lines


if __name__ == '__main__':
    timing.run('Time one training step of DANN.', measure, add_flags)
