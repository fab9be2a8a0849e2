"""A trace of some steps, and what costs most in it."""

import collections
import gzip
import json
import pathlib

import jax

FIRST, STEPS = 10, 10  # the first steps compile
SHOWN = 5
# Threads of a trace that run operations: a device's streams, or the pools of a CPU.
THREADS = ('XLA Ops', 'Stream', 'XLAPjRtCpuClient', 'tf_XLA', 'XLAEigen')
AROUND = ('ThunkExecutor', 'wait')  # in names of what runs or awaits operations
INPUT = 'MemcpyH2D'


class Trace:
    """A hook that traces STEPS steps after FIRST, once, with jax.profiler.

    Open the folder in TensorBoard (its profile plugin), or the .trace.json.gz in
    Perfetto.
    """

    def __init__(self, place: pathlib.Path):
        self._place, self._steps, self._state = place, 0, 'before'

    def __call__(self, step, state, metrics):
        self._steps += 1
        if self._state == 'before' and self._steps == FIRST:
            jax.block_until_ready((state, metrics))
            jax.profiler.start_trace(str(self._place), create_perfetto_trace=False)
            self._state = 'tracing'
        elif self._state == 'tracing' and self._steps == FIRST + STEPS:
            jax.block_until_ready((state, metrics))
            jax.profiler.stop_trace()
            self._state = 'done'

    def told(self) -> str:
        """What costs most, in text."""
        if self._state != 'done':
            return f'no profile: a stage needs {FIRST + STEPS} steps for one'
        rows = costs(self._place)
        lines = [f'profile of {STEPS} steps: {self._place}']
        lines.append(f'the device was at work {busy(self._place):.1%} of the time')
        lines += [
            f'{1e-3 * spent / STEPS:10.3f} ms a step {share:6.1%}  {name}'
            for name, spent, share in rows[:SHOWN]
        ]
        return '\n'.join(lines)


def costs(place: pathlib.Path) -> list[tuple[str, float, float]]:
    """(operation, microseconds, share of all) of the newest trace, the largest first.

    The time of an operation is without that of those inside it.
    """
    spent: collections.Counter[str] = collections.Counter()
    for found in _operations(place):
        _add(found, spent)
    total = sum(spent.values()) or 1.0
    return [(name, time, time / total) for name, time in spent.most_common()]


def busy(place: pathlib.Path) -> float:
    """The share of the newest trace in which the device ran some operation.

    From the first operation to the last; what is missing from 1 are gaps in which it
    waited: for the host, for input, for what a hook fetched. Copies of input to the
    device are no work of it. nan without a trace.
    """
    spans = sorted(
        (event['ts'], event['ts'] + event.get('dur', 0.0))
        for found in _operations(place)
        for event in found
        if not event['name'].startswith(INPUT)
    )
    if not spans:
        return float('nan')
    first, worked = spans[0][0], 0.0
    last = first
    for start, end in spans:
        worked += max(0.0, end - max(start, last))
        last = max(last, end)
    return worked / (last - first) if last > first else 1.0


def _operations(place: pathlib.Path) -> list[list[dict]]:
    """The operations of the newest trace, by thread of the device."""
    files = sorted(
        place.rglob('*.trace.json.gz'), key=lambda file: file.stat().st_mtime
    )
    if not files:
        return []
    with gzip.open(files[-1], 'rt') as file:
        events = json.load(file)['traceEvents']
    threads = {
        (event['pid'], event['tid']): event['args']['name']
        for event in events
        if event.get('name') == 'thread_name'
    }
    by_thread = collections.defaultdict(list)
    for event in events:
        if event.get('ph') != 'X' or any(part in event['name'] for part in AROUND):
            continue
        thread = (event['pid'], event['tid'])
        if any(name in threads.get(thread, '') for name in THREADS):
            by_thread[thread].append(event)
    return list(by_thread.values())


def _add(events, spent) -> None:
    """Own time of nested events of a thread, by their name without its number."""
    open_events = []
    for event in sorted(events, key=lambda event: (event['ts'], -event.get('dur', 0))):
        while open_events and open_events[-1][0] <= event['ts']:
            open_events.pop()
        duration = event.get('dur', 0.0)
        name = event['name'].partition('.')[0]
        if open_events:
            spent[open_events[-1][1]] -= duration
        spent[name] += duration
        open_events.append((event['ts'] + duration, name))
