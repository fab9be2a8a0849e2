"""Closed-form methods against skada, POT, and what one writes with NumPy and SciPy.

    python -m benchmarks.shallow [--methods tca,kmm] [--sizes 1000,4000]
        [--features 800] [--limit 60] [--json] [--out FILE]

A size is the number of examples of both domains, half of them the source's: Gaussian
classes with a falling spectrum, and a target that is deformed (`problem.py`, with the
hyper-parameters, the same on all sides). Everything is in float64. A run is the fit
and the features of both domains, the weights, or the prediction of the target,
whichever the method is for. Each side has a process of its own, which ends where a run
takes longer than `--limit` seconds; the sides take turns, three runs or as many as take
two seconds. The table has the minimum and median, ours beside the time to compile.

Goals: at most 1 of the fastest of skada and POT, at most 1.5 of the fastest form in
NumPy and SciPy. `differs` is by how much the result of a side is not ours, so that a
faster but wrong one is seen: as a share of the largest number; or, signed, by what
share its objective lies above ours; or the share of target examples with another label.
`n x n` is the peak of memory in a run, in matrices of all examples by all.
"""

import functools
import importlib.util
import statistics

from benchmarks import timing
from benchmarks.shallow import methods
from benchmarks.shallow.process import START, Child, Request, Stopped

SIZES = '1000,4000'
RUNS, SECONDS, MOST = 3, 2.0, 100  # of a side: at least, until, at most
GOALS = {'packages': 1.0, 'arrays': 1.5}
GROUPS = {'packages': 'packages', 'arrays': 'NumPy and SciPy'}


def compare(name: str, n: int, d: int, limit: float, missing: set[str]) -> dict:
    """All sides of a method on one problem."""
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
        found = _against(sides, getattr(method, group), goal, limit)
        row |= {group: found} if found else {}
    return row


def _measure(requests, limit) -> dict[str, dict]:
    """Turn by turn; {side: its row}, which says `stopped` where there are no times."""
    rows, children = {side: {} for side in requests}, {}

    def attempt(side, action):
        try:
            return action()
        except Stopped as reason:
            rows[side] = {'stopped': str(reason)}
            children.pop(side, None)
            return None

    for side, request in requests.items():
        found = attempt(side, lambda request=request: Child(request))
        if found is not None:
            children[side] = found
    times = {side: [] for side in requests}
    try:
        turn = 0
        while waiting := [s for s in children if turn == 0 or _unfinished(times[s])]:
            for side in waiting:
                # The first run of a method on the host compiles what it calls.
                compiles = turn == 0 and side == 'ours' and not children[side].compile
                allowed = max(limit, START) if compiles else limit
                found = attempt(
                    side, lambda s=side, t=allowed: children[s].ask('run', t)
                )
                if found is not None:
                    times[side].append(found)
            turn += 1
        for side, child in children.items():
            rows[side] = _row(times[side], child.compile, side)
            for key, what in (('matrices', 'memory'), ('answer', 'answer')):
                try:
                    rows[side][key] = child.ask(what, START)
                except Stopped as reason:  # the times are good all the same
                    rows[side][key] = None
                    rows[side][f'no {what}'] = str(reason)
    finally:
        for child in children.values():
            child.stop()
    return rows


def _unfinished(times) -> bool:
    # The first run warms up; where it takes long that is of no weight.
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


def _against(sides, others, goal, limit) -> dict:
    """Our time by the least of theirs; {} where there is none of theirs.

    Of one that was stopped it is the limit, which makes the ratio a bound.
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


def _told(against: dict) -> str:
    """The ratio as text."""
    if against['ratio'] is None:
        return 'none'
    return f'{"< " if against["bound"] else ""}{against["ratio"]:.2f}'


def lines(name: str, n: int, row: dict) -> list[str]:
    """A row as text."""
    made = []
    for side, found in row['sides'].items():
        where = f'{name} {n}' if side == 'ours' else ''
        begin = f'{where:28}{side:20}'
        if 'stopped' in found:
            made.append(f'{begin}{found["stopped"]:>12}')
            continue
        held = found['matrices']
        text = f'{begin}{found["min"]:12.1f}{found["median"]:12.1f}'
        text += f'{"?" if held is None else format(held, ".1f"):>8}'
        if side == 'ours':
            text += f'{found["compile"]:10.1f}'
        elif 'differs' in found:
            text += f'{"":10}{found["differs"]:+10.0e}'
        made.append(text)
    goals = [
        f'{words} {_told(row[group])}: {"met" if row[group]["met"] else "missed"}'
        for group, words in GROUPS.items()
        if group in row
    ]
    made.append(f'{"":28}{"; ".join(goals) or "no ratio"}')
    if row['note']:
        made.append(f'{"":28}({row["note"]})')
    return made


def main() -> None:
    parser = timing.parser('Time closed-form methods.')
    parser.add_argument('--methods', default='', help='separated by commas; all')
    parser.add_argument('--sizes', default=SIZES, help='examples of both domains')
    parser.add_argument('--features', type=int, default=800)
    parser.add_argument('--limit', type=float, default=60.0, help='seconds of a run')
    flags = parser.parse_args()
    chosen = flags.methods.split(',') if flags.methods else list(methods.METHODS)
    unknown = set(chosen) - set(methods.METHODS)
    if unknown:
        choices = ', '.join(methods.METHODS)
        parser.error(f'no method {", ".join(sorted(unknown))}; choose from {choices}')

    missing = {
        name
        for name, module in methods.PACKAGES.items()
        if importlib.util.find_spec(module) is None
    }
    result = {'machine': timing.machine(), 'missing': sorted(missing), 'methods': {}}
    result |= {'features': flags.features, 'limit': flags.limit}
    say = (lambda text: None) if flags.json else functools.partial(print, flush=True)
    say(', '.join(f'{k} {v}' for k, v in result['machine'].items()))
    if missing:
        say(
            f'not installed, so not compared with: {", ".join(sorted(missing))} '
            "(pip install -e '.[dev]')"
        )
    say(
        f'{"":48}{"min ms":>12}{"median":>12}{"n x n":>8}{"compile s":>10}'
        f'{"differs":>10}'
    )
    for n in map(int, flags.sizes.split(',')):
        for name in chosen:
            row = compare(name, n, flags.features, flags.limit, missing)
            result['methods'][f'{name} {n}'] = row
            say('\n'.join(lines(name, n, row)))
    timing.show(result, summary(result), as_json=flags.json, out=flags.out)


def summary(result: dict) -> str:
    """How many goals are met, and which are not."""
    told = []
    for group, words in GROUPS.items():
        rows = {k: v[group] for k, v in result['methods'].items() if group in v}
        missed = [f'{k} ({_told(v)})' for k, v in rows.items() if not v['met']]
        told.append(
            f'{words}: {len(rows) - len(missed)} of {len(rows)} goals met'
            + (f'; missed: {", ".join(missed)}' if missed else '')
        )
    return '\n'.join(told)


if __name__ == '__main__':
    main()
