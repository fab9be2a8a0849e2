"""Time and memory of whole runs: the table of README.md.

    python -m benchmarks.costs [--json] [--only REGEX] [--out FILE]

Each command runs in a process of its own, once with few and once with more steps, one
seed, with its report; both compile anew. The time of its own number of steps is
extrapolated from the two; the memory is the larger peak. MNIST, photographs and
pretrained weights are read from the data folder ($TRANSFER_JAX_DATA).
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from benchmarks import timing

FEW = 100  # steps
SHARE = 0.1  # of a command's own steps that are measured beyond FEW, at least
LEAST = 300  # steps beyond FEW


class Cost(NamedTuple):
    """A command, and what it is for."""

    purpose: str
    command: str  # after `python -m experiments.`
    steps: int  # of a run by its defaults
    prefix: str = 'config.'  # of its flags for steps and seeds


COSTS = {
    'demo': Cost('a first look, no download', 'demo --methods dann', 1200),
    'dann': Cost(
        "Ganin's digits and signs; own small images", 'adaptation.dann', 10_000
    ),
    'digits': Cost(
        'every deep method on digits', 'adaptation.digits --config.method mcc', 1000
    ),
    'photos': Cost(
        'photographs, pretrained network',
        'adaptation.photos --config.method dann',
        300,
    ),
    'adapt': Cost(
        'your own photographs (here two domains of Office-Caltech10)',
        'adapt --source office_amazon --target office_webcam',
        600,
        prefix='',
    ),
}


def add_flags(parser) -> None:
    """Beside those of every benchmark."""
    parser.add_argument('--only', default='', help='regex of names')


def measure(flags, result) -> list[str]:
    """Run every command twice."""
    result['costs'] = {}
    for name, cost in COSTS.items():
        if not re.search(flags.only, name):
            continue
        many = FEW + max(LEAST, int(SHARE * cost.steps))
        few, more = (_run(cost, steps) for steps in (FEW, many))
        per_step = (more[0] - few[0]) / (many - FEW)
        result['costs'][name] = {
            'purpose': cost.purpose,
            'command': cost.command,
            'steps': cost.steps,
            'seconds': more[0] + (cost.steps - many) * per_step,
            'gigabytes': max(few[1], more[1]),
        }
    return [
        f'{name:8}{row["seconds"]:8.0f} s {row["gigabytes"]:6.1f} GB'
        for name, row in result['costs'].items()
    ]


def _run(cost: Cost, steps: int) -> tuple[float, float]:
    """(seconds, peak gigabytes) of a process."""
    command, prefix = cost.command, cost.prefix
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            *(sys.executable, '-m', f'experiments.{command.split()[0]}'),
            *command.split()[1:],
            *(f'--{prefix}steps', str(steps), f'--{prefix}seeds', '1'),
            *('--run-dir', folder),
        ]
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            env=os.environ | {'JAX_COMPILATION_CACHE_DIR': f'{folder}/compiled'},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f'failed: {" ".join(arguments)}')
    return seconds, usage.ru_maxrss / 1e6  # kilobytes on Linux


if __name__ == '__main__':
    timing.run('Time whole runs.', measure, add_flags)
