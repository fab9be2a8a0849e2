"""What every timing here shares: paired rounds, and the facts of the machine.

Other programs disturb a measurement. So the sides take turns within each round, a
round is short, and of the rounds the minimum (least disturbed) and the median are
kept. `cpu` is processor time of all threads, the least sensitive to a busy machine,
though threads that spin while waiting count in full.
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

from transfer_jax.cli import allocator

INSTALL = 'PyTorch is not installed (pip install torch==2.13.0): ours alone'


def parser(description: str) -> argparse.ArgumentParser:
    """Flags that all benchmarks have; and malloc keeps memory, as in every page.

    Must come before anything is computed.
    """
    allocator.keep()
    made = argparse.ArgumentParser(description=description)
    made.add_argument('--json', action='store_true', help='print JSON')
    made.add_argument('--out', default='', help='write JSON to this file')
    return made


def paired(
    sides: Mapping[str, Callable[[], Any]], *, rounds: int, repeats: int = 3
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
    ours: Callable[[], Any], others: Mapping[str, Callable[[], Any]], *, rounds: int
) -> tuple[dict[str, Any], list[str]]:
    """`paired` of one side against others: (the row of a result, lines of text).

    A ratio is that of our time by the least of the others', by each kind of time.
    """
    times = paired({'ours': ours, **others}, rounds=rounds)
    row, lines = {'milliseconds': times}, [table(times)]
    for kind in ('min', 'median', 'cpu') if others else ():
        best = min(others, key=lambda name: times[name][kind])
        row[f'ratio_{kind}'] = times['ours'][kind] / times[best][kind]
        lines.append(f'ratio ours / {best} ({kind}): {row[f"ratio_{kind}"]:.2f}')
    return row, lines


def pytorch() -> tuple[Any, str] | None:
    """(torch with a thread for each processor, its device), if it is the one of jax."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(machine()['usable_cpus'])
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return (torch, device) if (device == 'cuda') == on_accelerator() else None


def torch_version() -> dict[str, str]:
    """For the facts of a machine."""
    import torch

    return {'torch': torch.__version__}


def on_accelerator() -> bool:
    """Whether jax computes on a GPU or TPU."""
    return jax.default_backend() != 'cpu'


def machine() -> dict[str, Any]:
    """What a number depends on, in general terms."""
    device = {'device': jax.devices()[0].device_kind} if on_accelerator() else {}
    return device | {
        'cpus': os.cpu_count(),
        'usable_cpus': len(os.sched_getaffinity(0))
        if hasattr(os, 'sched_getaffinity')
        else os.cpu_count(),
        'architecture': platform.machine(),
        'backend': jax.default_backend(),
        'python': platform.python_version(),
        'jax': jax.__version__,
        # Far above `cpus`, wall time and spinning threads say little.
        'load': round(os.getloadavg()[0], 1) if hasattr(os, 'getloadavg') else None,
        'malloc': 'kept'
        if allocator.keep()
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


def show(result: Mapping[str, Any], text: str, *, as_json: bool, out: str) -> None:
    """Print as text or JSON; write JSON to the file `out` if it is named."""
    content = json.dumps(result, indent=2, sort_keys=True)
    if out:
        pathlib.Path(out).write_text(content + '\n')
    print(content if as_json else text)
