"""Growth of the time of a step with batch, image side, runs, devices, and MMD's n.

    python -m benchmarks.scaling [--curves batch side runs devices mmd] [--json]
        [--out FILE] [--figure FILE]

batch: DANN on Ganin's MNIST net, by images in a step. side: supervised ResNet-18 on 8
images, by their side in pixels. runs: DANN with 32 + 32 images, several runs in one
program, by the default of parallel.over_runs on this backend. devices: DANN with 64 +
64 images on 1 to 8 devices; on CPU these are forced devices on the same processors,
which show that the work is divided, not that it is faster. mmd: value and gradient of
the biased estimate, with its n^2 pairs, and of the linear-time one, on n + n rows of
256 features. Times are minima of some rounds. A slope is that of log time over log size
at the last two points; it is 1 if time is proportional to size.
"""

import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import dann_step, sweeps, timing
from transfer_jax import losses, methods, models, ops
from transfer_jax.training import optim, parallel

# {curve: its sizes}
CURVES = {
    'batch': (16, 32, 64, 128, 256),
    'side': (32, 64, 96, 128),
    'runs': (1, 2, 4, 8),
    'devices': (1, 2, 4, 8),
    'mmd': (128, 256, 512, 1024, 2048),
}
AXES = {
    'batch': 'images of a step',
    'side': 'image side in pixels',
    'runs': 'runs side by side',
    'devices': 'devices',
    'mmd': 'n of each sample',
}
ROUNDS = 5


def _time(call, rounds=ROUNDS) -> float:
    """Milliseconds."""
    return timing.paired({'it': call}, rounds=rounds, repeats=1)['it']['min']


def _pair(n: int) -> dict:
    """A batch of n images, half of them from each domain."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, n // 2, 28, 28, 3)).astype(np.float32)
    label = rng.integers(10, size=n // 2).astype(np.int32)
    return {
        'source': {'image': images[0], 'label': label},
        'target': {'image': images[1]},
    }


def batch(n: int) -> dict[str, float]:
    """DANN with n images."""
    return {'DANN': _time(dann_step.CompiledStep(dann_step.build(), _pair(n)))}


def side(pixels: int) -> dict[str, float]:
    """ResNet-18 on images of this side."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(8, pixels, pixels, 3)).astype(np.float32)
    given = {'source': {'image': image, 'label': np.arange(8, dtype=np.int32)}}
    tx = optim.sgd(optim.constant(1e-3))
    encoder = models.ResNet(classes=0, depth=18)
    txs = {'encoder': tx, 'classifier': tx}
    method = methods.supervised(encoder, models.Classifier(10), txs=txs)
    return {'ResNet-18, 8 images': _time(dann_step.CompiledStep(method, given))}


def runs(k: int) -> dict[str, float]:
    """DANN with k runs in one program."""
    many = sweeps.AllRuns(dann_step.build(), _pair(64), k, None)
    return {'DANN, all runs': _time(many)}


def devices(k: int) -> dict[str, float]:
    """DANN on k devices; on CPU in a new process with k forced devices."""
    if not timing.on_accelerator() and jax.device_count() != k:
        code = 'from benchmarks import scaling; scaling.print_sharded_step()'
        variables = {'JAX_NUM_CPU_DEVICES': str(k), 'JAX_PLATFORMS': 'cpu'}
        run = subprocess.run(
            [sys.executable, '-c', code],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(run.stdout.splitlines()[-1])
    if jax.device_count() < k:
        return {}
    return {'DANN, 128 images': _sharded_step()}


def print_sharded_step() -> None:
    """Print the time of a step on all devices of this process, as a line of JSON."""
    print(json.dumps({'DANN, 128 images': _sharded_step()}))


def _sharded_step() -> float:
    method, given = dann_step.build(), _pair(128)
    state = method.init(jax.random.key(1), given)
    if jax.device_count() > 1:
        state = parallel.replicated(state, parallel.mesh())
        given = jax.device_put(given, parallel.row_sharding(parallel.mesh()))
    step, key = jax.jit(method.step), jax.random.key(0)
    return _time(lambda: jax.block_until_ready(step(state, given, key)))


def mmd(n: int) -> dict[str, float]:
    """Both estimates of the MMD for n + n rows."""
    rng = np.random.default_rng(0)
    pair = jax.device_put(tuple(rng.normal(size=(2, n, 256)).astype(np.float32)))

    def call(estimate):
        def loss(x, y):
            kernel = ops.gaussian_kernel(jnp.float32([256.0]))
            return estimate(x, y, kernel=kernel)

        compiled = jax.jit(jax.value_and_grad(loss, (0, 1)))
        return _time(lambda: jax.block_until_ready(compiled(*pair)))

    return {
        'biased, n^2 pairs': call(losses.mmd_biased),
        'linear time': call(losses.mmd_linear),
    }


def slope(points: dict[int, float]) -> float:
    """Slope of log time over log size at the last two sizes."""
    (a, s), (b, t) = list(points.items())[-2:]
    return float(np.log(t / s) / np.log(b / a))


def figure(curves: dict[str, dict[str, dict[int, float]]], path: pathlib.Path) -> None:
    """Draw a panel for each curve, with logarithmic axes."""
    from matplotlib.figure import Figure

    from transfer_jax.reports import figures

    drawing = Figure(figsize=(3.4 * len(curves), 3.2), layout='constrained')
    panels = drawing.subplots(1, len(curves), squeeze=False)[0]
    for axes, (name, lines) in zip(panels, curves.items(), strict=True):
        for i, (line, points) in enumerate(lines.items()):
            sizes, times = list(points), list(points.values())
            colour = figures.COLOURS[i]
            axes.plot(sizes, times, 'osD'[i] + '-', color=colour, label=line)
        axes.set_xscale('log', base=2)
        axes.set_yscale('log')
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        low, high = axes.get_ylim()
        if high < 10 * low:  # a nearly constant curve: look flat, with ticks
            low, high = high / 8, 2 * high  # and room for the legend
            axes.set_ylim(low, high)
        ticks = [t for t in _round_numbers() if low <= t <= high]
        axes.set_yticks(ticks, [f'{t:g}' for t in ticks])
        axes.set_xlabel(AXES[name])
        axes.set_ylabel('milliseconds')
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, framealpha=0.8)
    drawing.savefig(path, dpi=figures.DOTS_PER_INCH)


def _round_numbers():
    return [m * 10.0**e for e in range(-3, 6) for m in (1, 2, 5)]


def add_flags(parser) -> None:
    parser.add_argument('--curves', nargs='+', default=list(CURVES), choices=CURVES)
    parser.add_argument('--figure', default='', help='draw the curves to this file')


def measure(flags, result) -> list[str]:
    """Measure the curves, and draw them with --figure."""
    measures = {'batch': batch, 'side': side, 'runs': runs}
    measures |= {'devices': devices, 'mmd': mmd}
    result |= {'milliseconds': {}, 'slope': {}}
    lines = []
    for curve in flags.curves:
        times: dict[str, dict[int, float]] = {}
        for size in CURVES[curve]:
            for line, milliseconds in measures[curve](size).items():
                times.setdefault(line, {})[size] = milliseconds
            jax.clear_caches()
        result['milliseconds'][curve] = times
        for line, points in times.items():
            text = '  '.join(f'{size}: {time:.1f}' for size, time in points.items())
            result['slope'][f'{curve}, {line}'] = slope(points)
            lines.append(
                f'{curve:8} {line:22} slope {slope(points):5.2f}  ms at {text}'
            )
    if flags.figure:
        figure(result['milliseconds'], pathlib.Path(flags.figure))
    return lines


if __name__ == '__main__':
    timing.run('Time steps as they grow.', measure, add_flags)
