"""The tables of docs/scaling.md, from the result files of the benchmarks.

`python -m experiments.table readme` writes them, with the tables of README.md.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from transfer_jax.reports import grids

FOLDER = 'benchmarks'  # the package of the commands
# {curve of benchmarks.scaling: meaning of its sizes}
CURVES = {
    'batch': 'images of a step',
    'side': 'image side in pixels',
    'runs': 'runs side by side',
    'devices': 'devices',
    'mmd': 'n of each sample',
}
# 14 methods, 3 seeds, 10 epochs over VisDA-2017's 152,000 source images with as many of
# the target; see docs/scaling.md.
VISDA_IMAGES, VISDA_SIDE = 14 * 3 * 10 * 2 * 152_000, 224


class Line(NamedTuple):
    """A row of the table: a number of one benchmark."""

    question: str
    benchmark: str
    format: Callable[[Mapping[str, Any]], str]  # content of the result file -> text
    goal: str


def _percent(share: float, sign: str = '') -> str:
    return f'{100 * share:{sign}.1f} %'


def _rates(d) -> str:
    rates = d['images_a_second'].items()
    return ', '.join(f'{name} {rate:.1f}' for name, rate in rates) + ' images a second'


def _side_by_side(d):
    return f'{d["best_by_single_steps"]:.2f} ({d["runs"]} runs; {d["best"]})'


def _ways(d):
    ours = {name: rate for name, rate in d['runs_an_hour'].items() if 'ours' in name}
    single = ours.pop('ours, one by one')
    return '; '.join(
        f'{name.removeprefix("ours, ")} {rate / single:.2f}'
        for name, rate in ours.items()
    )


def _compiled(d):
    hourly = d['runs_an_hour']
    theirs = [
        rate for name, rate in hourly.items() if name.startswith('torch compiled')
    ]
    return f'{hourly[d["best"]] / max(theirs):.2f}' if theirs else 'not measured'


def _resnet50(d):
    return f'{d["ratio"]:.2f} ({d["size"]} pixels, batch {d["batch"]}; {_rates(d)})'


def _overhead(d):
    shares = [_percent(d[name]['median'], '+') for name in ('dan', 'coral')]
    return f'{" and ".join(shares)} ({d["size"]} pixels, 2 x {d["batch"]})'


def _hidden(d):
    at_work = ' and '.join(_percent(d[name]['busy']) for name in ('files', 'memory'))
    return f'{_percent(d["waits"], "+")} (at work {at_work} of the time)'


def _compilation(d):
    first, second = (d[name]['compiling'] for name in ('first', 'second'))
    return f'{d["ratio"]:.0f} ({first:.1f} s, {second:.1f} s)'


def _input(d):
    workers = f'{d["workers"]} worker' + 's' * (d['workers'] > 1)
    return f'{d["ratio"]:.2f} ({workers}; {_rates(d)})'


def _small_maps(d):
    forward, gradient = (
        d['milliseconds'][f'resnet/block4 {what}'] for what in ('forward', 'gradient')
    )
    ratios = [
        form['xla']['min'] / form['patches']['min'] for form in (forward, gradient)
    ]
    return f'{ratios[0]:.0f}, {ratios[1]:.0f} with gradients'


LINES = (
    Line(
        "a step of DANN: our time by PyTorch's fastest",
        'dann_step',
        lambda d: f'{d["ratio_min"]:.2f}',
        'below 1; 0.12 on a GPU',
    ),
    Line(
        'what the loop and its input add to that step',
        'dann_step',
        lambda d: _percent(d['overhead']['share'], '+'),
        'below 5 %',
    ),
    Line(
        'DANN: runs an hour, the best way by one by one',
        'sweeps',
        _side_by_side,
        '8 on a GPU',
    ),
    Line('every way of ours, by one by one', 'sweeps', _ways, ''),
    Line(
        'the best way by PyTorch, eager',
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
        lambda d: f'{100 * d["share"]:.0f} %',
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
        "maps of 2 x 2 under 3 x 3 windows: XLA's time by that of patches",
        'convolution',
        _small_maps,
        '',
    ),
    Line(
        "DANN's step where malloc keeps memory, by one where it does not",
        'malloc',
        lambda d: (
            f'{d["ratios"]["glibc"]:.2f} of glibc, '
            f'{d["ratios"]["glibc, huge pages"]:.2f} of glibc with huge pages'
        ),
        '',
    ),
    Line(
        'compiling, first start of the demo by the second',
        'compilation',
        _compilation,
        '5',
    ),
)


def markdown(contents: Mapping[str, dict], part: str = '') -> str:
    """The table, with the command of each number and the machine.

    Args:
      contents: {benchmark: content of its result file}.
      part: 'curves' for the curves of benchmarks.scaling instead; 'visda' for the hours
        that VisDA's images take at the rate of benchmarks.resnet50; 'costs' for time
        and memory of whole runs.
    """
    if part == 'curves':
        return _curves(contents['scaling']) if 'scaling' in contents else ''
    if part == 'visda':
        return _visda([contents[n] for n in _both('resnet50') if n in contents])
    if part == 'costs':
        return _costs(contents['costs']) if 'costs' in contents else ''
    rows = []
    for line in LINES:
        found = [contents.get(name) for name in _both(line.benchmark)]
        numbers = ['not measured' if c is None else line.format(c) for c in found]
        command = f'`python -m {FOLDER}.{line.benchmark}`'
        rows.append((line.question, command, *numbers, line.goal))
    head = ('question', 'command', 'CPU', 'GPU', 'goal')
    used = [name for line in LINES for name in _both(line.benchmark)]
    note = _machines({name: contents[name] for name in used if name in contents})
    return '\n'.join([*grids.markdown(head, rows, head), '', note])


def _both(benchmark: str) -> tuple[str, str]:
    """The names of its result files: of a CPU, of an accelerator."""
    return benchmark, f'gpu/{benchmark}'


def _machines(contents: Mapping[str, dict]) -> str:
    """'CPU, 1 thread, jax 0.10.1: sweeps, overhead. NVIDIA H200, ...: resnet50.'"""
    by_machine: dict[str, list[str]] = {}
    for name, content in contents.items():
        library = content['machine'].get('jax', '')
        machine = _machine(content) + (f', jax {library}' if library else '')
        by_machine.setdefault(machine, []).append(name.removeprefix('gpu/'))
    return ' '.join(f'{on}: {", ".join(names)}.' for on, names in by_machine.items())


def _costs(content: Mapping[str, Any]) -> str:
    """Time and memory of each command of benchmarks.costs."""
    head = ('for', 'python -m experiments. ...', 'steps', 'time', 'memory')
    rows = [
        (
            row['purpose'],
            f'`{row["command"]}`',
            f'{row["steps"]:,}',
            f'{max(1, round(row["seconds"] / 60))} min',
            f'{row["gigabytes"]:.1f} GB',
        )
        for row in sorted(content['costs'].values(), key=lambda row: row['seconds'])
    ]
    note = f'One seed, with its report. {_machine(content)}.'
    return '\n'.join([*grids.markdown(head, rows, head[:2]), '', note])


def _curves(scaling: Mapping[str, Any]) -> str:
    """Milliseconds by size and the slope of each curve."""
    rows = []
    for curve, what in CURVES.items():
        for line, points in scaling['milliseconds'].get(curve, {}).items():
            times = sorted((int(size), time) for size, time in points.items())
            listed = ', '.join(f'{size}: {time:.3g}' for size, time in times)
            slope = scaling['slope'][f'{curve}, {line}']
            rows.append((what, line, listed, f'{slope:.2f}'))
    head = ('what grows', 'of', 'milliseconds', 'slope')
    return '\n'.join(grids.markdown(head, rows, head[:3]))


def _visda(measured: Sequence[Mapping[str, Any]]) -> str:
    """Hours for all images, if the time of a convolution grows with the area."""
    rows = []
    for resnet50 in measured:
        rate = resnet50['images_a_second']['ours']
        scaled = rate * (resnet50['size'] / VISDA_SIDE) ** 2
        hours = f'{VISDA_IMAGES / scaled / 3600:,.0f}'
        side = str(resnet50['size'])
        rows.append((_machine(resnet50), side, f'{rate:,.1f}', f'{scaled:,.1f}', hours))
    head = (
        'measured on',
        'pixels',
        'images a second',
        f'at {VISDA_SIDE} pixels',
        'hours for all',
    )
    return '\n'.join(grids.markdown(head, rows, head[:1])) if rows else ''


def _machine(content: Mapping[str, Any] | None) -> str:
    if content is None:
        return ''
    machine = content['machine']
    if machine['backend'] != 'cpu':
        return machine.get('device', machine['backend'])
    threads = machine['usable_cpus']
    return f'CPU, {threads} {"thread" if threads == 1 else "threads"}'
