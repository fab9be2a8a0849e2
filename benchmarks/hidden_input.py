"""Whether ResNet-50 waits for its JPEG files: input from a folder and from memory.

    python -m benchmarks.hidden_input [--size 224] [--batch 128] [--workers N]
        [--rounds N] [--json] [--out FILE]

training.fit of ResNet-50 (bfloat16 on an accelerator) on generated photographs of 500 x
375 pixels, which are decoded, cropped and flipped in threads as in
benchmarks.input_pipeline and normalised on the device; and the same with one batch in
memory. Both are timed over the same steps, and profiled for ten more to measure the
share of the time in which the device was at work. On CPU images are small and few by
default, and decoding takes processors from the device: the time grows by the work of
decoding, and only the share of the profile shows whether the device waits. Goal: with
files, the device waits for less than 2 % more of the time.
"""

import pathlib
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import input_pipeline, resnet50, timing
from transfer_jax import data
from transfer_jax.training import fit, profiling

WARM, TIMED = 3, 6  # untimed steps, then timed steps
GOAL = 0.02  # of the time


class InMemory:
    """A stream that always gives the same batch."""

    def __init__(self, batch):
        self._batch = batch

    def __getitem__(self, t):
        return self._batch


class Clock:
    """A hook that measures the seconds of TIMED steps after WARM."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self, step, state, metrics):
        if step in (WARM, WARM + TIMED):
            jax.block_until_ready((state, metrics))
            self.seconds = time.perf_counter() - self.seconds


def normalising(method):
    """The method for uint8 images, which its step normalises."""

    def step(state, batch, key):
        image = batch['source']['image'].astype(jnp.float32) / 255
        image = (image - input_pipeline.MEAN) / input_pipeline.STD
        source = {**batch['source'], 'image': image}
        return method.step(state, {'source': source}, key)

    return method._replace(step=step)


def profile(method, state, stream, folder: pathlib.Path) -> dict[str, float]:
    """{'seconds': of a step, 'busy': share of the time at work in a profile}."""
    clock, trace = Clock(), profiling.Trace(folder)
    steps = profiling.FIRST + profiling.STEPS
    assert WARM + TIMED < profiling.FIRST
    fit(
        method,
        state,
        stream,
        key=jax.random.key(0),
        steps=steps,
        hooks=[clock, trace],
    )
    return {'seconds': clock.seconds / TIMED, 'busy': profiling.busy(folder)}


def as_floats(batch):
    """The batch as float32, for a first state: only the shapes matter."""
    image = batch['source']['image'].astype(np.float32)
    return {'source': {**batch['source'], 'image': image}}


def add_flags(parser) -> None:
    accelerated = timing.on_accelerator()
    parser.add_argument('--size', type=int, default=224 if accelerated else 64)
    parser.add_argument('--batch', type=int, default=128 if accelerated else 8)
    parser.add_argument('--workers', type=int, default=timing.usable_cpus())
    parser.add_argument('--rounds', type=int, default=3)


def measure(flags, result) -> list[str]:
    """Train on files and on a batch in memory, in turns."""
    method = normalising(resnet50.method())
    profiles: dict[str, list] = {'files': [], 'memory': []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / 'photographs'
        folder.mkdir()
        input_pipeline.photographs(folder)
        images = input_pipeline.stream(folder, flags.size, flags.batch, flags.workers)
        files = data.zipped(source=images)
        streams = {'files': files, 'memory': InMemory(files[0])}
        state = jax.jit(method.init)(jax.random.key(1), as_floats(files[0]))
        for i in range(flags.rounds):
            for name, stream in streams.items():
                traces = pathlib.Path(scratch) / f'{name}_{i}'
                profiles[name].append(profile(method, state, stream, traces))
    result |= {'size': flags.size, 'batch': flags.batch, 'workers': flags.workers}
    lines = []
    for name, rows in profiles.items():
        result[name] = {
            'images_a_second': flags.batch / min(row['seconds'] for row in rows),
            'busy': float(np.median([row['busy'] for row in rows])),
        }
        lines.append(
            f'from {name:8}{result[name]["images_a_second"]:10.1f} images a second, '
            f'the device at work {result[name]["busy"]:.1%} of the time'
        )
    waits = result['waits'] = result['memory']['busy'] - result['files']['busy']
    met = 'met' if waits < GOAL else 'missed'
    lines.append(f'waiting for files: {waits:+.1%} of the time: {met}')
    return lines


if __name__ == '__main__':
    timing.run('Time ResNet-50 with its input.', measure, add_flags)
