"""The table of docs/scaling.md, from the result files of the benchmarks.

Written by `python -m experiments.table readme`, with the tables of README.md.
"""

import json
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

FOLDER = 'benchmarks'  # of results, and the package of the commands


class Line(NamedTuple):
    """A line of the table: a number of one benchmark."""

    question: str
    benchmark: str
    told: Callable[[Mapping[str, Any]], str]
    goal: str


def _rates(names: Iterable[str], found: Mapping[str, float]) -> str:
    return ', '.join(f'{name} {found[name]:.1f}' for name in names)


def _fastest(found: Mapping[str, float], side: str) -> float:
    return max(rate for name, rate in found.items() if name.startswith(side))


def _side_by_side(d):
    return f'{d["best_by_single_steps"]:.2f} ({d["best"]}, {d["runs"]} runs)'


def _compiled(d):
    hourly = d['runs_an_hour']
    return f'{hourly[d["best"]] / _fastest(hourly, "torch compiled"):.2f}'


def _resnet50(d):
    rates = _rates(d['images_a_second'], d['images_a_second'])
    return (
        f'{d["ratio"]:.2f} ({d["size"]} pixels, batch {d["batch"]}; {rates} a second)'
    )


def _overhead(d):
    shares = [f'{d[name]["median"]:+.1%}' for name in ('dan', 'coral')]
    return f'{shares[0]}, {shares[1]} ({d["size"]} pixels, 2 x {d["batch"]})'


def _hidden(d):
    at_work = f'{d["files"]["busy"]:.1%} and {d["memory"]["busy"]:.1%}'
    return f'{d["waits"]:+.1%} (at work {at_work} of the time)'


def _compilation(d):
    first, second = (d[name]['compiling'] for name in ('first', 'second'))
    return f'{d["ratio"]:.0f} ({first:.1f} s, {second:.1f} s)'


def _input(d):
    rates = _rates(d['images_a_second'], d['images_a_second'])
    workers = f'{d["workers"]} worker' + 's' * (d['workers'] > 1)
    return f'{d["ratio"]:.2f} ({workers}; {rates} a second)'


LINES = (
    Line(
        'DANN: runs an hour, the best way by one by one',
        'sweeps',
        _side_by_side,
        '8 on a GPU',
    ),
    Line(
        'the same by PyTorch, eager',
        'sweeps',
        lambda d: f'{d["best_by_torch_eager"]:.2f}',
        '20 on a GPU',
    ),
    Line('the same by PyTorch, torch.compile', 'sweeps', _compiled, ''),
    Line(
        "fine-tuning ResNet-50: our time by PyTorch's",
        'resnet50',
        _resnet50,
        'below 1 on a GPU',
    ),
    Line(
        'share of the measured matrix rate, same step',
        'resnet50',
        lambda d: f'{d["share"]:.0%}',
        '',
    ),
    Line(
        "DAN and CORAL on ResNet-50's features, over weight 0",
        'overhead',
        _overhead,
        'below 5 %',
    ),
    Line(
        "JPEG files to batches of 224 pixels: our time by a DataLoader's",
        'input_pipeline',
        _input,
        'not above 1',
    ),
    Line(
        'waiting for JPEG files while ResNet-50 trains, over a batch in memory',
        'hidden_input',
        _hidden,
        'below 2 %',
    ),
    Line(
        'compiling, first start of the demo by the second',
        'compilation',
        _compilation,
        '5',
    ),
)


def read(roots: Iterable[pathlib.Path]) -> dict[str, dict]:
    """{benchmark: content of its result file}, of the first folder that has it."""
    found: dict[str, dict] = {}
    for root in roots:
        for path in sorted((root / FOLDER).glob('*.json')):
            found.setdefault(path.stem, json.loads(path.read_text(encoding='utf-8')))
    return found


def markdown(found: Mapping[str, dict]) -> str:
    """The table, with the command of each number and where it was measured."""
    head = ('question', 'command', 'here', 'goal', 'on')
    rows = [head, (':--', ':--', '--:', '--:', ':--')]
    for line in LINES:
        content = found.get(line.benchmark)
        told = 'not measured' if content is None else line.told(content)
        command = f'`python -m {FOLDER}.{line.benchmark}`'
        rows.append((line.question, command, told, line.goal, _machine(content)))
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def _machine(content: Mapping[str, Any] | None) -> str:
    if content is None:
        return ''
    machine = content['machine']
    if machine['backend'] != 'cpu':
        return machine.get('device', machine['backend'])
    threads = machine['usable_cpus']
    return f'CPU, {threads} {"thread" if threads == 1 else "threads"}'
