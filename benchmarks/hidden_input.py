"""Whether ResNet-50 waits for its JPEG files: fed from a folder, and from memory.

    python -m benchmarks.hidden_input [--size 224] [--batch 128] [--workers N]
        [--rounds N] [--json] [--out FILE]

training.fit of ResNet-50 (bfloat16 on an accelerator) on generated photographs of 500 x
375 pixels, decoded, cropped and turned around in threads as in
benchmarks.input_pipeline, normalised on the device; and the same with one batch that
lies in memory. Both are timed over the same steps, and profiled for ten more, which say
for what share of the time the device was at work. On CPU images are small and few by
default, and whoever decodes takes its processors from the device: there, time goes up
by the work of decoding, and only the share of the profile says whether anyone waits.
Goal: files add less than 2 % of the time to that in which it waits.
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

WARM, TIMED = 3, 6  # steps before the clock starts, and on the clock
GOAL = 0.02  # of the time


class InMemory:
    """One batch, again and again."""

    def __init__(self, batch):
        self._batch = batch

    def __getitem__(self, t):
        return self._batch


class Clock:
    """A hook: the seconds of TIMED steps after WARM."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self, step, state, metrics):
        if step in (WARM, WARM + TIMED):
            jax.block_until_ready((state, metrics))
            self.seconds = time.perf_counter() - self.seconds


def normalising(method):
    """The method on uint8 images, normalised in its step."""

    def step(state, batch, key):
        image = batch['source']['image'].astype(jnp.float32) / 255
        image = (image - input_pipeline.MEAN) / input_pipeline.STD
        source = {**batch['source'], 'image': image}
        return method.step(state, {'source': source}, key)

    return method._replace(step=step)


def measure(method, state, stream, place: pathlib.Path) -> dict[str, float]:
    """{'seconds': of a step, 'busy': share of a profile}."""
    clock, trace = Clock(), profiling.Trace(place)
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
    return {'seconds': clock.seconds / TIMED, 'busy': profiling.busy(place)}


def main() -> None:
    accelerated, machine = timing.on_accelerator(), timing.machine()
    parser = timing.parser('Time ResNet-50 with its input.')
    parser.add_argument('--size', type=int, default=224 if accelerated else 64)
    parser.add_argument('--batch', type=int, default=128 if accelerated else 8)
    parser.add_argument('--workers', type=int, default=machine['usable_cpus'])
    parser.add_argument('--rounds', type=int, default=3)
    flags = parser.parse_args()

    method = normalising(resnet50.method())
    found: dict[str, list] = {'files': [], 'memory': []}
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / 'photographs'
        folder.mkdir()
        input_pipeline.photographs(folder)
        own = (flags.size, flags.batch, flags.workers)
        files = data.zipped(source=input_pipeline.stream(folder, *own))
        streams = {'files': files, 'memory': InMemory(files[0])}
        state = jax.jit(method.init)(jax.random.key(1), as_floats(files[0]))
        for i in range(flags.rounds):
            for name, stream in streams.items():
                traces = pathlib.Path(place) / f'{name}_{i}'
                found[name].append(measure(method, state, stream, traces))
    result = {'machine': machine, 'size': flags.size, 'batch': flags.batch}
    result['workers'] = flags.workers
    lines = [', '.join(f'{k} {v}' for k, v in machine.items())]
    for name, rows in found.items():
        result[name] = {
            'images_a_second': flags.batch / min(row['seconds'] for row in rows),
            'busy': float(np.median([row['busy'] for row in rows])),
        }
        lines.append(
            f'from {name:8}{result[name]["images_a_second"]:10.1f} images a second, '
            f'the device at work {result[name]["busy"]:.1%} of the time'
        )
    waits = result['memory']['busy'] - result['files']['busy']
    result['waits'] = waits
    met = 'met' if waits < GOAL else 'missed'
    lines.append(f'waiting for files: {waits:+.1%} of the time: {met}')
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


def as_floats(batch):
    """For a first state, whose shapes alone count."""
    image = batch['source']['image'].astype(np.float32)
    return {'source': {**batch['source'], 'image': image}}


if __name__ == '__main__':
    main()
