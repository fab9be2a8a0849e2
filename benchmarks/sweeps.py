"""A sweep of DANN over seeds: several runs in one program, one by one, and PyTorch.

    python -m benchmarks.sweeps [--runs 16] [--rounds N] [--compile] [--json]
        [--out FILE]

Ganin's MNIST net, 64 + 64 images of 28x28x3, momentum SGD, as in benchmarks.dann_step;
batches are on the device. Our ways: runs one after another, with one step per dispatch
or ten (several_steps); all runs in one program by vmap, by a scan over them, or
unrolled (parallel.over_runs), and ten steps of all runs by vmap, on an accelerator also
with convolutions as products of patches; and single steps in concurrent processes, one
per processor on CPU, four on a GPU with a stream each. On CPU there are fewer runs by
default, because unrolled ones take long to compile. PyTorch trains one run after
another, eagerly, with --compile also by torch.compile. The numbers are runs per hour,
of 10,000 steps each. Goals on a GPU: the best way is at least 8 times as fast as our
single steps and 20 times as fast as eager PyTorch.
"""

import contextlib
import multiprocessing
import os

import jax
import numpy as np

from benchmarks import dann_step, timing
from transfer_jax.cli import allocator
from transfer_jax.training import parallel

STEPS = 10_000  # of a run
TOGETHER = 10  # steps per dispatch


class AllRuns:
    """A step of all runs in one program."""

    def __init__(self, method, batch, runs, how):
        many = parallel.over_runs(lambda: method, how=how)
        keys = jax.random.split(jax.random.key(0), runs)
        stack = jax.tree.map(lambda leaf: np.stack([leaf] * runs), batch)
        self._keys, self._batch = keys, jax.device_put(stack)
        self._state = jax.jit(jax.vmap(method.init))(keys, self._batch)
        self._step = jax.jit(many.step, donate_argnums=0)

    def __call__(self):
        self._state, metrics = self._step(self._state, self._batch, self._keys)
        jax.block_until_ready((self._state, metrics))


class Processes:
    """Steps of several runs, each in a separate process.

    Args:
      environment: environment variables of these processes.
    """

    def __init__(self, count: int, **environment: str):
        # All processes share the memory of a GPU.
        os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
        before = dict(os.environ)
        os.environ.update(environment)
        context = multiprocessing.get_context('spawn')
        usable = sorted(os.sched_getaffinity(0))
        self._pipes = []
        for number in range(count):
            here, there = context.Pipe()
            core = None if timing.on_accelerator() else usable[number % len(usable)]
            arguments = there, core
            context.Process(target=_serve, args=arguments, daemon=True).start()
            self._pipes.append(here)
        os.environ.clear()
        os.environ.update(before)

    def __call__(self):
        for pipe in self._pipes:
            pipe.send(TOGETHER)
        for pipe in self._pipes:
            pipe.recv()


def _serve(pipe, core: int | None) -> None:
    """The loop of a process: take as many steps as the pipe requests, then reply."""
    allocator.retain_freed()
    if core is not None:
        os.sched_setaffinity(0, {core})
    step = dann_step.CompiledStep(dann_step.build(), dann_step.stream()[0])
    with contextlib.suppress(EOFError):  # the parent has ended
        while True:
            for _ in range(pipe.recv()):
                step()
            pipe.send(None)


def sides(runs: int, compiled: bool) -> dict[str, tuple]:
    """{name: (call, steps of each run in a call, runs in a call)}."""
    method, batches = dann_step.build(), dann_step.stream()
    batch = batches[0]
    ways = {'ours, one by one': (dann_step.CompiledStep(method, batch), 1, 1)}
    stack = jax.tree.map(
        lambda *rows: np.stack(rows), *(batches[t] for t in range(TOGETHER))
    )
    many = parallel.several_steps(method, TOGETHER)
    dispatch = f'{TOGETHER} steps a dispatch'
    several_single = dann_step.CompiledStep(many, stack)
    ways[f'ours, one by one, {dispatch}'] = (several_single, TOGETHER, 1)
    for how in ('vmap', 'vmap_patches') if timing.on_accelerator() else ('vmap',):
        several = parallel.several_steps(
            parallel.over_runs(lambda: method, how=how), TOGETHER
        )
        all_runs = _AllRunsSeveralSteps(several, method, stack, runs)
        ways[f'ours, {how}, {dispatch}'] = (all_runs, TOGETHER, runs)
    for how in parallel.HOW:
        ways[f'ours, {how}'] = (AllRuns(method, batch, runs, how), 1, runs)
    count = 4 if timing.on_accelerator() else max(2, len(os.sched_getaffinity(0)))
    ways[f'ours, {count} processes'] = (Processes(count), TOGETHER, count)
    for use_compile in (False, True) if compiled else (False,):
        for layout in (False, True):
            step = dann_step.torch_step(
                batch, channels_last=layout, compiled=use_compile
            )
            if step is not None:
                name = f'torch {"compiled" if use_compile else "eager"}'
                ways[name + ', channels last' * layout] = (step, 1, 1)
    return ways


class _AllRunsSeveralSteps(AllRuns):
    """Several steps of all runs in one program."""

    def __init__(self, several, method, stack, runs):
        self._keys = jax.random.split(jax.random.key(0), runs)
        many = jax.tree.map(lambda leaf: np.stack([leaf] * runs, 1), stack)
        self._batch = jax.device_put(many)
        first = jax.tree.map(lambda leaf: leaf[0], self._batch)
        self._state = jax.jit(jax.vmap(method.init))(self._keys, first)
        self._step = jax.jit(several.step, donate_argnums=0)


def summarise(times, counts) -> dict:
    """Runs per hour of each side, and the ratios that have goals."""
    hourly = {
        name: 3.6e6 / (row['min'] / counts[name][0] / counts[name][1] * STEPS)
        for name, row in times.items()
    }
    ours = {name: rate for name, rate in hourly.items() if name.startswith('ours')}
    best = max(ours, key=ours.get)
    result = {'runs_an_hour': hourly, 'best': best}
    result['best_by_single_steps'] = hourly[best] / hourly['ours, one by one']
    eager = [rate for name, rate in hourly.items() if name.startswith('torch eager')]
    if eager:
        result['best_by_torch_eager'] = hourly[best] / max(eager)
    return result


def add_flags(parser) -> None:
    default = 16 if timing.on_accelerator() else 4
    parser.add_argument('--runs', type=int, default=default)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--compile', action='store_true', help='torch.compile as well')


def measure(flags, result) -> list[str]:
    """Time all ways to train the runs."""
    ways = sides(flags.runs, flags.compile)
    calls = {name: call for name, (call, *_) in ways.items()}
    times = timing.paired(calls, rounds=flags.rounds, repeats=1)
    counts = {name: numbers for name, (_, *numbers) in ways.items()}
    result |= {'runs': flags.runs, 'milliseconds': times}
    result |= summarise(times, counts)
    lines = [timing.table(times)]
    lines.append(f'{"runs an hour, of " + str(STEPS) + " steps":44}')
    lines += [f'{name:44}{rate:10.1f}' for name, rate in result['runs_an_hour'].items()]
    for what in ('single_steps', 'torch_eager'):
        if f'best_by_{what}' in result:
            ratio = result[f'best_by_{what}']
            lines.append(f'{result["best"]} / {what.replace("_", " ")}: {ratio:.2f}')
    if not any(name.startswith('torch') for name in times):
        lines.append(timing.INSTALL)
    return lines


if __name__ == '__main__':
    timing.run('Time a sweep of DANN.', measure, add_flags)
