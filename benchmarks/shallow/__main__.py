"""Shallow methods against skada, POT, and implementations in NumPy and SciPy.

    python -m benchmarks.shallow [--methods tca,kmm] [--sizes 1000,4000]
        [--features 800] [--limit 60] [--json] [--out FILE]

A size is the number of examples of both domains, half of them source examples. The data
are Gaussian classes with a falling spectrum and a deformed target (`problem.py`, which
also has the hyper-parameters, the same for all sides). Everything is in float64. A run
is the fit and, depending on the purpose of the method, the features of both domains,
the weights, or the prediction of the target. Each side runs in a separate process,
which is stopped if a run takes longer than `--limit` seconds. The sides take turns, for
three runs or as many as take two seconds. The table has the minimum and median and, for
our side, the compilation time.

Goals: our time is at most 1 times that of the fastest of skada and POT, and at most 1.5
times that of the fastest implementation in NumPy and SciPy. `differs` measures how much
the result of a side differs from ours, to detect a fast but wrong one: as a share of
the largest number; or, signed, the excess of its objective over ours; or the share of
target examples with another label. `n x n` is the peak of memory in a run, in units of
matrices of all examples by all examples.
"""

import argparse
import functools
import importlib.util
import statistics

from benchmarks import timing
from benchmarks.shallow import methods
from benchmarks.shallow.process import START, Child, Request, Stopped

SIZES = '1000,4000'
# Runs of a side: at least 3, then until they took 2 seconds, at most 100.
RUNS, SECONDS, MOST = 3, 2.0, 100
GOALS = {'packages': 1.0, 'arrays': 1.5}
GROUPS = {'packages': 'packages', 'arrays': 'NumPy and SciPy'}


def compare(name: str, n: int, d: int, limit: float, missing: set[str]) -> dict:
    """Measure all sides of a method on one problem."""
    method = methods.METHODS[name]
    paths = {'ours': method.ours}
    paths |= {
        side: path
        for side, path in {**method.packages, **method.arrays}.items()
        if side.split()[0] not in missing
    }
    if 'POT' in missing and set(method.packages) & {'POT', 'skada'}:
        paths = {k: v for k, v in paths.items() if k.split()[0] != 'skada'}
    sides = _measure({s: Request(path, n, d) for s, path in paths.items()}, limit)
    answers = {side: row.pop('answer', None) for side, row in sides.items()}
    for side, answer in answers.items():
        if side != 'ours' and answer is not None and answers['ours'] is not None:
            differs = methods.DIFFERENCES[method.kind](answers['ours'], answer)
            sides[side]['differs'] = float(differs)
    row = {'sides': sides, 'kind': method.kind, 'note': method.note}
    for group, goal in GOALS.items():
        comparison = _compare(sides, getattr(method, group), goal, limit)
        row |= {group: comparison} if comparison else {}
    return row


def _measure(requests, limit) -> dict[str, dict]:
    """Measure the sides in turns: {side: row}; without times, a row has `stopped`."""
    rows, children = {side: {} for side in requests}, {}

    def attempt(side, action):
        try:
            return action()
        except Stopped as reason:
            rows[side] = {'stopped': str(reason)}
            children.pop(side, None)
            return None

    for side, request in requests.items():
        child = attempt(side, lambda request=request: Child(request))
        if child is not None:
            children[side] = child
    times = {side: [] for side in requests}
    try:
        turn = 0
        while waiting := [s for s in children if turn == 0 or _unfinished(times[s])]:
            for side in waiting:
                # The first run of a method on the host compiles the functions it calls.
                compiles = turn == 0 and side == 'ours' and not children[side].compile
                allowed = max(limit, START) if compiles else limit
                seconds = attempt(
                    side, lambda s=side, t=allowed: children[s].ask('run', t)
                )
                if seconds is not None:
                    times[side].append(seconds)
            turn += 1
        for side, child in children.items():
            rows[side] = _row(times[side], child.compile, side)
            for key, what in (('matrices', 'memory'), ('answer', 'answer')):
                try:
                    rows[side][key] = child.ask(what, START)
                except Stopped as reason:  # the times are valid nevertheless
                    rows[side][key] = None
                    rows[side][f'no {what}'] = str(reason)
    finally:
        for child in children.values():
            child.stop()
    return rows


def _unfinished(times) -> bool:
    # The first run warms up; if it takes long, the warm-up is negligible.
    counted = times if times[0][0] > SECONDS else times[1:]
    total = sum(clock for clock, _ in counted)
    return len(counted) < RUNS or (total < SECONDS and len(counted) < MOST)


def _row(times, seconds, side) -> dict:
    first = times[0][0]
    if len(times) > RUNS:
        times = times[1:]
    clock = [1e3 * t for t, _ in times]
    row = {'min': min(clock), 'median': statistics.median(clock), 'runs': len(clock)}
    row['cpu'] = min(1e3 * t for _, t in times)
    if side == 'ours':
        later = first - min(clock) / 1e3
        row['compile'] = max(later, 0.0) if seconds is None else seconds
    return row


def _compare(sides, others, goal, limit) -> dict:
    """Our time divided by the least of the others'; {} if no other has a time.

    A side that was stopped counts with the limit; the ratio is then a bound.
    """
    others = [sides[other] for other in others if other in sides]
    times = [other['min'] for other in others if 'min' in other]
    bound = not times
    if any(other.get('stopped', '').startswith('>') for other in others):
        times.append(1e3 * limit)
    if not times:
        return {}
    if 'min' not in sides['ours']:
        return {'ratio': None, 'bound': False, 'met': False}
    ratio = sides['ours']['min'] / min(times)
    return {'ratio': ratio, 'bound': bound, 'met': ratio <= goal}


def _ratio(comparison: dict) -> str:
    """The ratio as text."""
    if comparison['ratio'] is None:
        return 'none'
    return f'{"< " if comparison["bound"] else ""}{comparison["ratio"]:.2f}'


def lines(name: str, n: int, row: dict) -> list[str]:
    """A row as text."""
    text = []
    for side, numbers in row['sides'].items():
        problem = f'{name} {n}' if side == 'ours' else ''
        line = f'{problem:28}{side:20}'
        if 'stopped' in numbers:
            text.append(f'{line}{numbers["stopped"]:>12}')
            continue
        memory = numbers['matrices']
        line += f'{numbers["min"]:12.1f}{numbers["median"]:12.1f}'
        line += f'{"?" if memory is None else format(memory, ".1f"):>8}'
        if side == 'ours':
            line += f'{numbers["compile"]:10.1f}'
        elif 'differs' in numbers:
            line += f'{"":10}{numbers["differs"]:+10.0e}'
        text.append(line)
    goals = [
        f'{words} {_ratio(row[group])}: {"met" if row[group]["met"] else "missed"}'
        for group, words in GROUPS.items()
        if group in row
    ]
    text.append(f'{"":28}{"; ".join(goals) or "no ratio"}')
    if row['note']:
        text.append(f'{"":28}({row["note"]})')
    return text


def _method_names(text: str) -> list[str]:
    """Names separated by commas; all for ''."""
    names = text.split(',') if text else list(methods.METHODS)
    unknown = sorted(set(names) - set(methods.METHODS))
    if unknown:
        raise argparse.ArgumentTypeError(
            f'no method {", ".join(unknown)}; choose from {", ".join(methods.METHODS)}'
        )
    return names


def add_flags(parser) -> None:
    parser.add_argument(
        '--methods', type=_method_names, default='', help='separated by commas; all'
    )
    parser.add_argument('--sizes', default=SIZES, help='examples of both domains')
    parser.add_argument('--features', type=int, default=800)
    parser.add_argument('--limit', type=float, default=60.0, help='seconds of a run')


def measure(flags, result) -> list[str]:
    """Compare all methods at all sizes, and print each row when it is complete."""
    missing = {
        name
        for name, module in methods.PACKAGES.items()
        if importlib.util.find_spec(module) is None
    }
    result |= {'missing': sorted(missing), 'methods': {}}
    result |= {'features': flags.features, 'limit': flags.limit}
    show = (lambda text: None) if flags.json else functools.partial(print, flush=True)
    if missing:
        show(
            f'not installed, so not compared with: {", ".join(sorted(missing))} '
            "(pip install -e '.[dev]')"
        )
    show(
        f'{"":48}{"min ms":>12}{"median":>12}{"n x n":>8}{"compile s":>10}'
        f'{"differs":>10}'
    )
    for n in map(int, flags.sizes.split(',')):
        for name in flags.methods:
            row = compare(name, n, flags.features, flags.limit, missing)
            result['methods'][f'{name} {n}'] = row
            show('\n'.join(lines(name, n, row)))
    return summary(result)


def summary(result: dict) -> list[str]:
    """The number of goals that are met, and the goals that are missed."""
    text = []
    for group, words in GROUPS.items():
        rows = {k: v[group] for k, v in result['methods'].items() if group in v}
        missed = [f'{k} ({_ratio(v)})' for k, v in rows.items() if not v['met']]
        text.append(
            f'{words}: {len(rows) - len(missed)} of {len(rows)} goals met'
            + (f'; missed: {", ".join(missed)}' if missed else '')
        )
    return text


if __name__ == '__main__':
    timing.run('Time shallow methods.', measure, add_flags)
