"""The parts of benchmarks.device, in order of importance.

A part adds its numbers to its result and yields rows of the table as it gets them. Many
of them run a benchmark of this folder with fewer rounds; their result files are those
of that benchmark, with the rows beside.

Seconds are what a part takes on a GPU with 16 cores: `least` where everything goes
well, `most` before it is stopped for the sake of the next ones.
"""

import argparse
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benchmarks import (
    adaptation_losses,
    dann_step,
    goals,
    overhead,
    precision,
    resnet50,
    sweeps,
    timing,
    vmapped_convolution,
    whole_run,
)
from transfer_jax.cli import compilation_cache
from transfer_jax.training import determinism

# What a GPU (H200) measured before, and should not lose; 10 % is noise.
IMAGES_A_SECOND, LOSSES, NOISE = 4601, {'dan': 0.28, 'coral': 0.25}, 1.1


class Settings(NamedTuple):
    """How parts are measured."""

    small: bool  # sizes that say nothing, and take seconds
    compile: bool  # torch.compile as well


class Part(NamedTuple):
    """A part of the table."""

    measure: Callable[[Settings, dict[str, Any]], Iterator[goals.Row]]
    least: float  # seconds; it is not begun with less
    most: float  # seconds
    fresh: bool = False  # nothing is compiled when it starts
    # it compiles most of its time at small sizes, and then does so hastily
    compiles: bool = False


def _dann_step(settings, result) -> Iterator[goals.Row]:
    """One step of DANN, and what the loop and its input add to it."""
    _allow_tf32()
    flags = _flags(rounds=1 if settings.small else 10, compile=settings.compile)
    dann_step.measure(flags, result)
    times = {name: row['min'] for name, row in result['milliseconds'].items()}
    theirs = [time for name, time in times.items() if name.startswith('torch')]
    together = f'ours, {dann_step.TOGETHER} steps together'
    best = min(theirs, default=None)
    for name, goal in (('ours', None), (together, 0.12)):
        if name not in times:  # a CPU takes one step a dispatch
            continue
        if best is None:
            yield goals.Row(f'a step of DANN, {name}', f'{times[name]:.2f} ms')
            continue
        what = f'a step of DANN, {name}, by PyTorch'
        note = f'{times[name]:.2f} against {best:.2f} ms'
        ratio = times[name] / best
        if goal is None:
            yield goals.Row(what, goals.shown(ratio, note=note))
        else:
            yield goals.at_most(what, ratio, goal, note=note)
    bare = times.get(together, times['ours'])
    looped = result['loop_milliseconds'] = whole_run.loop_cost(settings.small)
    what = f'what the loop and its input add ({looped:.2f} ms for {bare:.2f})'
    yield goals.below(what, looped / bare - 1, 0.05)


def _demo(settings, result) -> Iterator[goals.Row]:
    """Two starts of the demo, the first with nothing compiled."""
    flags = []
    if settings.small:
        flags = ['--methods', 'source_only', '--config.steps', '4']
        flags += ['--config.seeds', '1', '--config.batch', '8']
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        env = os.environ | {compilation_cache.VARIABLE: str(root / 'programs')}
        for name, goal in (('first start', 150), ('compiled', 60)):
            arguments = ['experiments.demo', *flags, '--run-dir', str(root / name)]
            start = time.perf_counter()
            _command(arguments, env)
            result[name] = time.perf_counter() - start
            yield goals.at_most(f'make demo, {name}', result[name], goal, ' s')


def _sweeps(settings, result) -> Iterator[goals.Row]:
    """All ways to train several runs."""
    _allow_tf32()
    runs, rounds = (2, 1) if settings.small else (16, 3)
    flags = _flags(runs=runs, rounds=rounds, compile=settings.compile)
    sweeps.measure(flags, result)
    hourly, best = result['runs_an_hour'], result['best']
    what = f'{runs} runs, the best way ({best.removeprefix("ours, ")})'
    if 'best_by_torch_eager' in result:
        result['machine'] |= timing.torch_version()
        ratio = result['best_by_torch_eager']
        yield goals.at_least(f'{what}, by PyTorch eager', ratio, 20)
    single = f'ours, one by one, {sweeps.TOGETHER} steps a dispatch'
    ratio = result['best_by_single_chunks'] = hourly[best] / hourly[single]
    note = f'{runs} runs cost {runs / ratio:.1f} times one'
    yield goals.at_least(f'{what}, by {single}', ratio, 2.5, note=note)


def _resnet50(settings, result) -> Iterator[goals.Row]:
    """Fine-tuning ResNet-50."""
    size, batch, rounds = (32, 4, 1) if settings.small else (224, 128, 6)
    resnet50.measure(
        _flags(size=size, batch=batch, rounds=rounds, compile=settings.compile), result
    )
    rate = result['images_a_second']['ours']
    note = f'PyTorch {rate * result["ratio"]:,.0f}' if 'ratio' in result else ''
    yield goals.Row(
        'fine-tuning ResNet-50, images a second',
        goals.shown(rate, note=note),
        f'{IMAGES_A_SECOND:,} (H200) or better',
        rate * NOISE >= IMAGES_A_SECOND,
    )


def _adaptation_losses(settings, result) -> Iterator[goals.Row]:
    """The losses of DAN and CORAL."""
    adaptation_losses.measure(_flags(rounds=2 if settings.small else 30), result)
    for name, before in LOSSES.items():
        if 'ratio_min' in result[name]:
            ratio = result[name]['ratio_min']
            what = f'loss of {name.upper()} with gradients, by PyTorch'
            shown, kept = goals.shown(ratio), ratio <= before * NOISE
            yield goals.Row(what, shown, f'keep {before}', kept)
        else:
            best = result[name]['milliseconds']['ours']['min']
            yield goals.Row(f'loss of {name.upper()}', goals.shown(best, ' ms'))


def _overhead(settings, result) -> Iterator[goals.Row]:
    """What the losses add to a step of ResNet-50."""
    size, batch, rounds = (32, 4, 1) if settings.small else (224, 128, 6)
    overhead.measure(_flags(size=size, batch=batch, rounds=rounds), result)
    for name in ('dan', 'coral'):
        what = f'{name.upper()} on ResNet-50, over weight 0'
        yield goals.below(what, result[name]['median'], overhead.GOAL)


def _tests(settings, result) -> Iterator[goals.Row]:
    """The tests that are marked for an accelerator."""
    flags = f'{os.environ.get("XLA_FLAGS", "")} {determinism.FLAG}=true'
    env = os.environ | {  # as `make test-gpu`
        'JAX_PLATFORMS': '',
        'JAX_DISABLE_MOST_OPTIMIZATIONS': '0',
        'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
        'XLA_FLAGS': flags.strip(),
    }
    arguments = ['pytest', '-m', 'accelerator', '-p', 'no:cacheprovider']
    if importlib.util.find_spec('xdist') and not settings.small:
        arguments += ['-n', 'auto', '--maxprocesses', '8', '--dist', 'worksteal']
    arguments += ['tests/metrics'] if settings.small else []
    # 1: some failed; 5: there are none
    printed = _command(arguments, env, allowed=(0, 1, 5))
    counts = {
        word: int(number)
        for number, word in re.findall(
            r'(\d+) (passed|failed|errors?|skipped)', printed
        )
    }
    result['counts'] = counts
    failed = sum(n for word, n in counts.items() if word[:5] in ('faile', 'error'))
    shown = (
        ', '.join(f'{n} {word}' for word, n in counts.items()) or 'no test is marked'
    )
    met = not failed if counts.get('passed') or failed else None
    yield goals.Row('tests on the device', shown, 'none failed', met)


PARTS: dict[str, Part] = {
    'dann_step': Part(_dann_step, 30, 120),
    'whole_run': Part(whole_run.measure, 60, 180, fresh=True),
    'demo': Part(_demo, 60, 240),
    'sweeps': Part(_sweeps, 60, 150),
    'precision': Part(precision.measure, 60, 200),
    'resnet50': Part(_resnet50, 40, 100, compiles=True),
    'adaptation_losses': Part(_adaptation_losses, 15, 60),
    'overhead': Part(_overhead, 40, 120, compiles=True),
    'convolutions': Part(vmapped_convolution.measure, 30, 150),
    'tests': Part(_tests, 60, 300),
}


def _flags(**values: Any) -> argparse.Namespace:
    return argparse.Namespace(**values)


def _allow_tf32() -> None:
    """PyTorch's products may be TF32, as ours are by default."""
    found = timing.pytorch()
    if found is not None:
        found[0].set_float32_matmul_precision('high')


def _command(arguments: list[str], env: dict, allowed=(0,)) -> str:
    """What `python -m ...` printed; its last line is the error if it failed."""
    done = subprocess.run(
        [sys.executable, '-m', *arguments], env=env, capture_output=True, text=True
    )
    print(done.stdout, done.stderr, sep='\n')
    if done.returncode not in allowed:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise RuntimeError(f'{arguments[0]} ended with {done.returncode}: {last}')
    return done.stdout
