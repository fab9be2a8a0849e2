"""Compilation time of the first and the second start of the demo.

    python -m benchmarks.compilation [--json] [--out FILE]

Runs the demo twice with few steps, each time in a new process and a new run folder.
Both share a compilation cache that is empty at first
(transfer_jax/cli/compilation_cache.py). Counts the seconds that JAX spends in XLA or on
reading programs; tracing and lowering are the same both times. Goal: the second start
takes at most a fifth of the first.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from benchmarks import timing

STEPS = 20
GOAL = 5.0
CODE = """
import collections, json, sys
from experiments import demo
import jax
spent = collections.Counter()
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: spent.update({name: seconds}))
demo.main()
print(json.dumps(spent))
"""
COMPILING = '/jax/core/compile/backend_compile_duration'
BEFORE = (
    '/jax/core/compile/jaxpr_trace_duration',
    '/jax/core/compile/jaxpr_to_mlir_module_duration',
)


def start(cache: pathlib.Path, run_dir: pathlib.Path) -> dict[str, float]:
    """{'compiling', 'tracing'}: seconds of one start."""
    flags = ['--config.steps', str(STEPS), '--config.seeds', '1']
    run = subprocess.run(
        [sys.executable, '-c', CODE, *flags, '--run-dir', str(run_dir)],
        env=os.environ | {'JAX_COMPILATION_CACHE_DIR': str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    spent = json.loads(run.stdout.splitlines()[-1])
    return {
        'compiling': spent[COMPILING],
        'tracing': sum(spent[name] for name in BEFORE),
    }


def measure(flags, result) -> list[str]:
    """Start the demo twice."""
    del flags
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        first, second = (start(root / 'programs', root / f'run_{i}') for i in (1, 2))
    ratio = first['compiling'] / second['compiling']
    result |= {'first': first, 'second': second, 'ratio': ratio}
    lines = [
        f'{name:8}{row["compiling"]:8.2f} s compiling or reading programs, '
        f'{row["tracing"]:.2f} s tracing'
        for name, row in (('first', first), ('second', second))
    ]
    lines.append(f'{ratio:.1f} times less: {"met" if ratio >= GOAL else "missed"}')
    return lines


if __name__ == '__main__':
    timing.run('Time two starts of the demo.', measure)
