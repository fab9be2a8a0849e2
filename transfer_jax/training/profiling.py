"""A profiler trace of some steps, and the operations that take most time in it."""

import collections
import gzip
import json
import pathlib
import sys

import jax

FIRST, STEPS = 10, 10  # tracing starts late because the first steps compile
SHOWN = 5
# Threads of a trace that run operations: a device's streams, or thread pools of a CPU.
THREADS = ('XLA Ops', 'Stream', 'XLAPjRtCpuClient', 'tf_XLA', 'XLAEigen')
# Parts of the names of events that run or await operations and are none themselves.
AROUND = ('ThunkExecutor', 'wait')
INPUT = 'MemcpyH2D'


class Trace:
    """A hook that traces STEPS steps after FIRST, once, with jax.profiler.

    Open the folder in TensorBoard (its profile plugin), or the .trace.json.gz in
    Perfetto.
    """

    wants_metrics = False

    def __init__(self, folder: pathlib.Path):
        self._folder, self._due, self._state = folder, None, 'before'

    def next_due(self, step: int) -> int:
        """The step after which the trace begins, then the one after which it ends."""
        if self._due is None or step < self._due - FIRST - STEPS:  # of another stage
            self._due = step + (FIRST if self._state == 'before' else STEPS)
        return max(self._due, step + 1) if self._state != 'done' else sys.maxsize

    def __call__(self, step, state, metrics):
        if self._state == 'done':
            return
        jax.block_until_ready(state)
        if self._state == 'before':
            jax.profiler.start_trace(str(self._folder), create_perfetto_trace=False)
            self._state, self._due = 'tracing', step + STEPS
        else:
            jax.profiler.stop_trace()
            self._state = 'done'

    def summary(self) -> str:
        """The operations that take most time, as text."""
        if self._state != 'done':
            return f'no profile: a stage needs at least {FIRST + STEPS} steps for one'
        rows = costs(self._folder)
        lines = [f'profile of {STEPS} steps: {self._folder}']
        lines.append(f'the device was at work {busy(self._folder):.1%} of the time')
        lines += [
            f'{1e-3 * time / STEPS:10.3f} ms a step {share:6.1%}  {name}'
            for name, time, share in rows[:SHOWN]
        ]
        return '\n'.join(lines)


def costs(folder: pathlib.Path) -> list[tuple[str, float, float]]:
    """(operation, microseconds, share of all) of the newest trace, the largest first.

    The time of an operation excludes the operations inside it.
    """
    times: collections.Counter[str] = collections.Counter()
    for events in _operations(folder):
        _add_times(events, times)
    total = sum(times.values()) or 1.0
    return [(name, time, time / total) for name, time in times.most_common()]


def busy(folder: pathlib.Path) -> float:
    """The share of the newest trace in which the device ran an operation.

    Counted from the first operation to the last. In the rest of the time the device
    waited: for the host, for input, or for what a hook fetched. Copies of input to the
    device do not count as work. nan without a trace.
    """
    spans = sorted(
        (event['ts'], event['ts'] + event.get('dur', 0.0))
        for events in _operations(folder)
        for event in events
        if not event['name'].startswith(INPUT)
    )
    if not spans:
        return float('nan')
    first, busy_time = spans[0][0], 0.0
    last = first
    for start, end in spans:
        busy_time += max(0.0, end - max(start, last))
        last = max(last, end)
    return busy_time / (last - first) if last > first else 1.0


def _operations(folder: pathlib.Path) -> list[list[dict]]:
    """The operations of the newest trace, by thread of the device."""
    files = sorted(
        folder.rglob('*.trace.json.gz'), key=lambda file: file.stat().st_mtime
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


def _add_times(events, times) -> None:
    """Add the exclusive times of a thread's nested events, by name without number."""
    open_events = []
    for event in sorted(events, key=lambda event: (event['ts'], -event.get('dur', 0))):
        while open_events and open_events[-1][0] <= event['ts']:
            open_events.pop()
        duration = event.get('dur', 0.0)
        name = event['name'].partition('.')[0]
        if open_events:
            times[open_events[-1][1]] -= duration
        times[name] += duration
        open_events.append((event['ts'] + duration, name))
