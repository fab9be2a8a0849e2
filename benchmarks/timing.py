"""What all benchmarks share: their command line, paired rounds, facts of the machine.

Other programs disturb a measurement. The sides therefore take turns within each round,
rounds are short, and the result has the minimum (least disturbed) and the median over
rounds. `cpu` is processor time of all threads. It is the least sensitive to a busy
machine, but threads that spin while waiting count in full.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from transfer_jax.cli import allocator

INSTALL = 'PyTorch is not installed (pip install torch==2.13.0): only ours was measured'
Call = Callable[[], Any]  # runs once and waits for its result


def run(
    description: str,
    measure: Callable[[argparse.Namespace, dict[str, Any]], list[str]],
    add_flags: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """The command line of a benchmark.

    Lets malloc keep freed memory for the rest of the process, as every experiment does;
    parses the flags; prints the facts of the machine; measures; then prints the text
    or, with --json, the result, and writes it to the file of --out.

    Args:
      measure: (flags, result) -> lines of text. It adds to the result, which holds
        'machine'.
      add_flags: adds flags to --json and --out.
    """
    malloc_keeps = allocator.retain_freed()  # before JAX starts its threads
    parser = argparse.ArgumentParser(description=description)
    add_flags(parser)
    parser.add_argument('--json', action='store_true', help='print JSON')
    parser.add_argument('--out', default='', help='write JSON to this file')
    flags = parser.parse_args()
    result = {'machine': machine(malloc_keeps)}
    if not flags.json:
        facts = result['machine'].items()
        print(', '.join(f'{name} {value}' for name, value in facts), flush=True)
    lines = measure(flags, result)
    content = json.dumps(result, indent=2, sort_keys=True)
    if flags.out:
        pathlib.Path(flags.out).write_text(content + '\n')
    print(content if flags.json else '\n'.join(lines))


def paired(
    sides: Mapping[str, Call], *, rounds: int, repeats: int = 3
) -> dict[str, dict[str, float]]:
    """Milliseconds of a call of each side: {side: {'min', 'median', 'cpu'}}.

    A side must wait for its own result. Each is called twice first, to compile.
    """
    wall = {name: [] for name in sides}
    cpu = {name: [] for name in sides}
    for call in sides.values():
        call()
        call()
    for _ in range(rounds):
        for name, call in sides.items():
            start, used = time.perf_counter(), time.process_time()
            for _ in range(repeats):
                call()
            wall[name].append((time.perf_counter() - start) / repeats * 1e3)
            cpu[name].append((time.process_time() - used) / repeats * 1e3)
    return {
        name: {
            'min': min(wall[name]),
            'median': statistics.median(wall[name]),
            'cpu': min(cpu[name]),
        }
        for name in sides
    }


def race(
    ours: Call, others: Mapping[str, Call], *, rounds: int
) -> tuple[dict[str, Any], list[str]]:
    """`paired` of our side and the others: (the row of a result, lines of text).

    A ratio is our time divided by the least of the others', for each kind of time.
    """
    times = paired({'ours': ours, **others}, rounds=rounds)
    row, lines = {'milliseconds': times}, [table(times)]
    for kind in ('min', 'median', 'cpu') if others else ():
        best = min(others, key=lambda name: times[name][kind])
        row[f'ratio_{kind}'] = times['ours'][kind] / times[best][kind]
        lines.append(f'ratio ours / {best} ({kind}): {row[f"ratio_{kind}"]:.2f}')
    return row, lines


def race_pytorch(
    result: dict[str, Any],
    ours: Mapping[str, Call],
    pytorch: Mapping[str, Mapping[str, Call]],
    *,
    rounds: int,
    atol: float = 0.0,
) -> list[str]:
    """`race` of several tasks against PyTorch: adds rows to the result, returns lines.

    Args:
      ours: {task: call that returns (value, gradient)}.
      pytorch: {task: {side: call that returns the value}}; {} without PyTorch.
      atol: absolute tolerance of values, which must agree to 0.1 % or this.
    """
    lines = []
    for task, call in ours.items():
        others = pytorch.get(task, {})
        for name, other in others.items():
            # A race between calls that compute different numbers would mean nothing.
            np.testing.assert_allclose(
                call()[0], other(), rtol=1e-3, atol=atol, err_msg=name
            )
        result[task], text = race(call, others, rounds=rounds)
        lines += [f'{task}:', *text]
    if pytorch:
        result['machine'] |= torch_version()
    else:
        lines.append(INSTALL)
    return lines


def pytorch() -> tuple[Any, str] | None:
    """(torch with a thread per usable processor, its device).

    None without PyTorch, or if it computes on another kind of device than JAX.
    """
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(usable_cpus())
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return (torch, device) if (device == 'cuda') == on_accelerator() else None


def torch_version() -> dict[str, str]:
    """PyTorch's version, for the facts of the machine."""
    import torch

    return {'torch': torch.__version__}


def on_accelerator() -> bool:
    """Whether JAX computes on a GPU or TPU."""
    return jax.default_backend() != 'cpu'


def usable_cpus() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def machine(malloc_keeps: bool) -> dict[str, Any]:
    """Facts on which a measurement depends, in general terms.

    Args:
      malloc_keeps: whether malloc keeps freed memory: what allocator.retain_freed
        returned.
    """
    device = {'device': jax.devices()[0].device_kind} if on_accelerator() else {}
    return device | {
        'cpus': os.cpu_count(),
        'usable_cpus': usable_cpus(),
        'architecture': platform.machine(),
        'backend': jax.default_backend(),
        'python': platform.python_version(),
        'jax': jax.__version__,
        # If it is far above `cpus`, wall time and spinning threads mean little.
        'load': round(os.getloadavg()[0], 1) if hasattr(os, 'getloadavg') else None,
        'malloc': 'kept'
        if malloc_keeps
        else os.environ.get('GLIBC_TUNABLES', 'default'),
    }


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Rows of `paired` as text, in milliseconds."""
    lines = [f'{"milliseconds":40}{"min":>10}{"median":>10}{"cpu":>10}']
    lines += [
        f'{name:40}{row["min"]:10.2f}{row["median"]:10.2f}{row["cpu"]:10.2f}'
        for name, row in rows.items()
    ]
    return '\n'.join(lines)
