"""What the first and the second start of the demo spend on compiling.

    python -m benchmarks.compilation [--json] [--out FILE]

The demo with few steps, each time in a new process and a new run folder, with one
folder of compiled programs that is empty at first
(transfer_jax/cli/compilation_cache.py). Seconds are
those that jax spends in XLA, or on reading programs; tracing and lowering are the same
both times. Goal: the second start spends a fifth of the first, or less.
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


def start(cache: pathlib.Path, place: pathlib.Path) -> dict[str, float]:
    """Seconds of one start."""
    flags = ['--config.steps', str(STEPS), '--config.seeds', '1']
    run = subprocess.run(
        [sys.executable, '-c', CODE, *flags, '--run-dir', str(place)],
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


def main() -> None:
    parser = timing.parser('Time two starts of the demo.')
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = pathlib.Path(place)
        first, second = (start(root / 'programs', root / f'run_{i}') for i in (1, 2))
    ratio = first['compiling'] / second['compiling']
    result = {'machine': timing.machine(), 'first': first, 'second': second}
    result['ratio'] = ratio
    lines = [', '.join(f'{k} {v}' for k, v in result['machine'].items())]
    for name, row in (('first', first), ('second', second)):
        lines.append(
            f'{name:8}{row["compiling"]:8.2f} s compiling or reading programs, '
            f'{row["tracing"]:.2f} s tracing'
        )
    lines.append(f'{ratio:.1f} times less: {"met" if ratio >= GOAL else "missed"}')
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
