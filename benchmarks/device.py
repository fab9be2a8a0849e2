"""All that has a goal on an accelerator, in one command and a number of seconds.

    python -m benchmarks.device --out DIR [--budget 480] [--only REGEX] [--again]
        [--compile] [--small]

A machine with a GPU may be lent for minutes only. So the parts (device_parts.PARTS)
run in order of importance, each in a process of its own, which is stopped when the
seconds are used up. A part is not begun with less time than it needs. DIR gets a result
file and a log for each part while it runs, and table.txt after each part: what was
measured, its goal, and whether it was met.

The same command goes on where it stopped: parts that finished on the same device are
not measured again, but with --again. Compiled programs stay in DIR/programs. A part
that fails is named, and the next one runs. --compile adds torch.compile. Without
PyTorch only ours is measured. Without an accelerator, or with --small, sizes are tiny:
that tests the command and says nothing about speed.

It is not among the benchmarks of `make bench`, which run most of its parts already.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import jax

from benchmarks import device_parts, goals, timing
from transfer_jax.cli import allocator, compilation_cache

MACHINE = 'machine'  # the name of the process that looks for an accelerator
PROBE = 120.0  # seconds for it
RESERVE = 6.0  # seconds of the budget to begin and end in
GRACE = 1.0  # seconds that a process has to end after it was asked to

# (part, seconds) -> why it did not finish; '' if it did
Start = Callable[[str, float], str]
Parts = Mapping[str, device_parts.Part]


def run_parts(
    parts: Parts,
    out: pathlib.Path,
    facts: Mapping[str, Any],
    start: Start,
    *,
    seconds: float,
    again: bool = False,
) -> None:
    """Runs the parts in order, and writes table.txt after each.

    Args:
      facts: of the machine, the content of machine.json.
      seconds: for all of them.
    """
    end = time.monotonic() + seconds
    notes = {}  # {part: why its rows are not complete}
    for name, part in parts.items():
        left = end - time.monotonic()
        try:
            if not again and finished(out, name, facts):
                print(f'{name}: finished before, see {out / name}.json', flush=True)
            elif left < (1.0 if facts['small'] else part.least):
                notes[name] = 'not run: the budget was used up'
            else:
                for old in (out / f'{name}.json', out / f'{name}.log'):
                    old.unlink(missing_ok=True)
                print(f'{name} (of {left:.0f} s) ...', flush=True)
                notes[name] = 'stopped: the command was ended'
                notes[name] = start(name, min(left, part.most))
        finally:
            lines = table(parts, out, facts, notes)
            (out / 'table.txt').write_text(lines + '\n')


def finished(out: pathlib.Path, name: str, facts: Mapping[str, Any]) -> bool:
    """Whether the folder has all rows of a part, measured on the same device."""
    result = _read(out, name)
    return bool(result.get('finished')) and _same_device(result, facts)


def table(
    parts: Parts,
    out: pathlib.Path,
    facts: Mapping[str, Any],
    notes: Mapping[str, str],
) -> str:
    """What, measured, goal, and whether it was met; notes on parts that did not end."""
    lines = [', '.join(f'{k} {v}' for k, v in facts['machine'].items())]
    if facts['small']:
        lines.append('Small sizes: these numbers say nothing, and no goal applies.')
    rows = [('part', 'what', 'measured', 'goal', '')]
    for name in parts:
        result = _read(out, name)
        measured = result.get('rows', []) if _same_device(result, facts) else []
        for row in measured:
            row = goals.Row(**row)
            met = {True: 'met', False: 'MISSED', None: ''}[row.met]
            rows.append((name, row.what, row.measured, row.goal, met))
        if notes.get(name):
            rows.append((name, notes[name], '', '', ''))
    widths = [max(len(row[i]) for row in rows) for i in (0, 1, 2, 3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append('  '.join([*cells, row[4]]).rstrip())
    return '\n'.join(lines)


def in_process(command: list[str], log: pathlib.Path, seconds: float) -> str:
    """Runs a command, whose output goes to `log`; returns why it failed, or ''.

    It is stopped after so many seconds, and so is all that it has started.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(log, 'w'))
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        process = subprocess.Popen(
            command,
            env=os.environ | {'TMPDIR': scratch},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return f'stopped after {seconds:.0f} s: the rest is not measured'
        finally:
            _end(process)
    if not code:
        return ''
    lines = [line for line in log.read_text(errors='replace').splitlines() if line]
    why = lines[-1] if lines else 'nothing was printed'
    return f'failed ({code}): {why[:150]}'


def _end(process: subprocess.Popen) -> None:
    """Ends the processes of a session; they have a moment to clean up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def measure_part(
    parts: Parts, name: str, out: pathlib.Path, facts: dict, compiled: bool
) -> dict[str, Any]:
    """Measures a part in this process; its file is written after each row."""
    result: dict[str, Any] = {'machine': dict(facts['machine']), 'rows': []}
    result |= {'small': facts['small'], 'finished': False}
    start = time.perf_counter()
    settings = device_parts.Settings(facts['small'], compiled)
    for row in parts[name].measure(settings, result):
        if facts['small']:
            row = row._replace(met=None)
        result['rows'].append(row._asdict())
        _write(out, name, result)
    result |= {'finished': True, 'seconds': time.perf_counter() - start}
    _write(out, name, result)
    return result


def _child(flags, out: pathlib.Path) -> None:
    """The process of a part: its last line says what went wrong."""
    try:
        malloc_keeps = allocator.retain_freed()
        if flags.part == MACHINE:
            small = flags.small or not timing.on_accelerator()
            facts = {'machine': timing.machine(malloc_keeps), 'small': small}
            _write(out, MACHINE, facts)
            return
        facts = _read(out, MACHINE)
        _use_programs(out, flags.part)
        if facts['small'] and device_parts.PARTS[flags.part].compiles:
            jax.config.update('jax_disable_most_optimizations', True)
            os.environ['JAX_DISABLE_MOST_OPTIMIZATIONS'] = '1'  # its children too
        measure_part(device_parts.PARTS, flags.part, out, facts, flags.compile)
    except Exception as error:
        traceback.print_exc()
        first = (str(error).splitlines() or [''])[0]
        print(f'{type(error).__name__}: {first}', flush=True)
        sys.exit(1)


def _use_programs(out: pathlib.Path, name: str) -> None:
    """Keeps compiled programs in DIR; a part that compiles anew has a folder alone."""
    fresh = device_parts.PARTS[name].fresh
    programs = out / 'programs' / (name if fresh else 'shared')
    if fresh:
        shutil.rmtree(programs, ignore_errors=True)
    os.environ[compilation_cache.VARIABLE] = str(programs)
    compilation_cache.enable()


def _same_device(result: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    def of(content):
        machine = content.get('machine', {})
        return machine.get('backend'), machine.get('device'), content.get('small')

    return of(result) == of(facts)


def _read(out: pathlib.Path, name: str) -> dict[str, Any]:
    """The result file of a part; {} if there is none, or it was not written whole."""
    try:
        return json.loads((out / f'{name}.json').read_text())
    except (OSError, ValueError):
        return {}


def _write(out: pathlib.Path, name: str, result: Mapping[str, Any]) -> None:
    """A process that is killed meanwhile leaves the file before."""
    path, new = out / f'{name}.json', out / f'{name}.json.new'
    new.write_text(json.dumps(result, indent=2, sort_keys=True) + '\n')
    new.replace(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=pathlib.Path, required=True, help='folder')
    parser.add_argument('--budget', type=float, default=480, help='seconds for all')
    parser.add_argument('--only', default='', help='regex of parts')
    parser.add_argument('--again', action='store_true', help='finished parts too')
    parser.add_argument('--compile', action='store_true', help='torch.compile as well')
    parser.add_argument('--small', action='store_true', help='tiny sizes')
    parser.add_argument('--part', default='', help=argparse.SUPPRESS)
    flags = parser.parse_args()
    out = flags.out.absolute()
    if flags.part:
        _child(flags, out)
        return
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    def start(name: str, seconds: float) -> str:
        command = [sys.executable, '-m', 'benchmarks.device', '--part', name]
        command += ['--out', str(out)]
        command += ['--small'] * flags.small + ['--compile'] * flags.compile
        return in_process(command, out / f'{name}.log', seconds)

    (out / f'{MACHINE}.json').unlink(missing_ok=True)
    reason = start(MACHINE, PROBE)
    if reason:
        sys.exit(f'no part was run: {reason} (see {out / MACHINE}.log)')
    facts = _read(out, MACHINE)
    parts = {
        name: part
        for name, part in device_parts.PARTS.items()
        if re.search(flags.only, name)
    }
    seconds = flags.budget - RESERVE - (time.monotonic() - started)
    try:
        run_parts(parts, out, facts, start, seconds=seconds, again=flags.again)
    finally:
        if (out / 'table.txt').exists():
            print((out / 'table.txt').read_text(), end='')


if __name__ == '__main__':
    main()
