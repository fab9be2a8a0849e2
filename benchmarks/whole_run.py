"""A whole run of DANN as users start it, against a plain PyTorch loop of the same run.

Two parts of benchmarks.device use it: `measure` (the whole run) and `loop_cost`.

It is experiments.adaptation.dann on MNIST -> MNIST-M through `runs.run`: 10,000 steps
and 20 evaluations with validators, checkpoints and histories. Starts of few steps come
first, with nothing compiled and with the programs of the compilation cache, so that
the run itself compiles as little as it can. Reading the data is timed alone. Products
are the backend's default, TF32 on an NVIDIA GPU as in PyTorch's loop; commands have
full float32, whose time is in the part `precision`. PyTorch's loop is in
benchmarks/torch_run.py.

Where MNIST or the photographs of MNIST-M are not in the data folder, images are
generated, as many and of the same shape. Their times count, their accuracies do not.
"""

import dataclasses
import functools
import pathlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from benchmarks import goals, timing, torch_run
from experiments.adaptation import dann
from experiments.tasks import digit_pairs
from transfer_jax import data, runs

FULL = dann.Config()
SMALL = dann.Config(pair='fake_to_fake_shifted', steps=20, batch=16)
SHORT, SMALL_SHORT = 400, 10  # steps of a start that only compiles
ONE_SEED, THREE_SEEDS = 6.0, 10.0  # goals in seconds


def experiment(
    small: bool, seeds: int, *, batch: int = 0, generated: bool = False
) -> runs.Experiment:
    """DANN on MNIST -> MNIST-M; on generated images if asked, or if these are missing.

    Args:
      small: a tiny pair, 20 steps and 2 evaluations.
      batch: images of a step; 0 for the usual number.
    """
    config = SMALL if small else FULL
    batch = batch or config.batch
    built = dann.build(dataclasses.replace(config, batch=batch, seeds=seeds))
    if small:
        return built._replace(evaluations=2, fast=True)
    if generated or not images_present():
        return built._replace(data=lambda seed, data_dir: generated_pair(seed))
    return built


def images_present() -> bool:
    """Whether the data folder has what MNIST-M is made from."""
    return all(
        domain.present
        for domain in data.describe()
        if domain.name in ('mnist', 'mnist_m')
    )


def images_of(small: bool) -> str:
    """Which images `experiment` reads, for the result."""
    if small:
        return 'fake'
    return 'MNIST and MNIST-M' if images_present() else 'generated'


def generated_pair(seed: int) -> digit_pairs.Pair:
    """60,000 and 10,000 images of each domain: noise over a pattern for each class."""
    source, target = _generated()
    images = data.Images(target[0].image)
    mean = np.full(3, 0.5, np.float32)
    classes = source[0].classes
    return digit_pairs.Pair(classes, *source, images, target[1], mean, seed)


@functools.cache
def _generated() -> list[tuple[data.Arrays, data.Arrays]]:
    """(training, test) of both domains; the target's images are negatives."""
    rng = np.random.default_rng(0)
    names = tuple(str(number) for number in range(10))
    pattern = rng.integers(0, 128, (10, 28, 28, 3), dtype=np.uint8)
    domains = []
    for negative in (False, True):
        parts = []
        for n in (60_000, 10_000):
            label = rng.integers(10, size=n).astype(np.int32)
            image = rng.integers(0, 128, (n, 28, 28, 3), dtype=np.uint8)
            image += pattern[label]
            parts.append(data.Arrays(~image if negative else image, label, names))
        domains.append(tuple(parts))
    return domains


def cut(built: runs.Experiment, steps: int) -> runs.Experiment:
    """The first steps of an experiment, by the same schedules, and one evaluation."""
    (stage,) = built.stages
    return built._replace(stages=(stage._replace(steps=steps),), evaluations=1)


def timed(built: runs.Experiment, hooks: Sequence[Any] = ()) -> tuple[float, dict]:
    """(seconds, content of result.json) of a run in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        content = runs.run(built, pathlib.Path(folder) / 'run', hooks=hooks)
        return time.perf_counter() - start, content


def measure(settings, result: dict[str, Any]) -> Iterator[goals.Row]:
    """Rows of the whole run: first starts, one seed, PyTorch, three seeds.

    Args:
      settings: see device_parts.Settings.
      result: gets all numbers, in seconds.
    """
    small = settings.small
    one, short = experiment(small, 1), SMALL_SHORT if small else SHORT
    steps = one.stages[0].steps
    result |= {'images': images_of(small), 'steps': steps, 'seconds_of': {}}
    seconds = result['seconds_of']
    start = time.perf_counter()
    pair = one.data(0, None)
    seconds['reading'] = time.perf_counter() - start
    seconds['first start'], _ = timed(cut(one, short))
    yield goals.Row(
        f'{short} steps and an evaluation, nothing compiled',
        goals.shown(seconds['first start'], ' s'),
    )
    jax.clear_caches()  # what a new process would not have
    seconds['second start'], _ = timed(cut(one, short))
    yield goals.Row(
        'the same, compiled by an earlier process',
        goals.shown(seconds['second start'], ' s'),
    )
    run = f'{steps:,} steps, {one.evaluations} evaluations'
    seconds['one seed'], content = timed(one)
    result['accuracy'] = {'one seed': last_accuracies(content)}
    note = f'{result["images"]} images; target {last_accuracies(content)[0]:.1%}'
    result['cost'] = cost = content.get('cost', {})
    if cost.get('evaluation') is not None:
        note += f'; {cost["evaluation"]:.0%} of it waits for evaluations'
    yield goals.at_most(f'{run}, one seed', seconds['one seed'], ONE_SEED, ' s', note)

    theirs = torch_run.run(
        pair, steps=steps, evaluations=one.evaluations, batch=one.config.batch
    )
    if theirs is None:
        yield goals.Row('the same in PyTorch', timing.INSTALL)
    else:
        result['machine'] |= timing.torch_version()
        result['pytorch'] = theirs
        target = f'target {theirs["target_test"]:.1%}'
        yield goals.Row(
            'the same in PyTorch, without validators and files',
            goals.shown(theirs['seconds'], ' s', target),
        )
        ratio = result['ratio'] = seconds['one seed'] / theirs['seconds']
        yield goals.Row('one seed by PyTorch', goals.shown(ratio))

    three = experiment(small, 3)
    seconds['three seeds, first start'], _ = timed(cut(three, short))
    seconds['three seeds'], content = timed(three)
    result['accuracy']['three seeds'] = last_accuracies(content)
    yield goals.at_most(
        f'{run}, three seeds', seconds['three seeds'], THREE_SEEDS, ' s'
    )


def last_accuracies(content: Mapping[str, Any]) -> list[float]:
    """Target test accuracy of each seed at the last step."""
    return content['scores']['last']['target_test']['values']


class _Clock:
    """A hook that notes the time at two steps, when the device has done them."""

    def __init__(self, first: int, last: int):
        self.due, self.times = (first, last), []

    def next_due(self, step: int) -> int:
        return next((due for due in self.due if due > step), 1 << 40)

    def __call__(self, step, state, metrics) -> None:
        if step in self.due:
            jax.block_until_ready(state)
            self.times.append(time.perf_counter())


def loop_cost(small: bool) -> float:
    """Milliseconds of a step of 128 images in `runs.run` between two evaluations.

    Reading, normalising, sending, dispatching and logging are all in it.
    """
    first, last = (5, 15) if small else (200, 1200)
    clock = _Clock(first, last)
    built = experiment(small, 1, batch=FULL.batch, generated=True)
    # The evaluation and the checkpoint come at the last step, after the clock.
    timed(cut(built, last + 1), hooks=[clock])
    begin, end = clock.times
    return (end - begin) / (last - first) * 1e3
