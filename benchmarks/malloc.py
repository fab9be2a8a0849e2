"""A step of DANN with and without malloc keeping freed memory, as experiments set it.

    python -m benchmarks.malloc [--json] [--rounds N] [--out FILE]

The step of benchmarks.dann_step in a process for each setting: that of
transfer_jax/cli/allocator.py, glibc's default, and glibc with transparent huge pages.
The processes take turns. On an accelerator all settings are the same.
"""

from benchmarks import sweeps, timing

# {name: $GLIBC_TUNABLES}; if it sets malloc, cli.allocator does nothing.
WAYS = {
    'kept': '',
    'glibc': 'glibc.malloc.mmap_max=65536',  # its default
    'glibc, huge pages': 'glibc.malloc.hugetlb=1',
}


def add_flags(parser) -> None:
    parser.add_argument('--rounds', type=int, default=10)


def measure(flags, result) -> list[str]:
    """Run a process for each setting, in turns."""
    sides = {
        name: sweeps.Processes(1, GLIBC_TUNABLES=setting)
        for name, setting in WAYS.items()
    }
    times = timing.paired(sides, rounds=flags.rounds, repeats=1)
    steps = {
        name: {kind: row[kind] / sweeps.TOGETHER for kind in ('min', 'median')}
        for name, row in times.items()
    }
    ratios = {name: steps['kept']['min'] / row['min'] for name, row in steps.items()}
    result |= {'milliseconds': steps, 'ratios': ratios}
    return [
        f'{name:20}{row["min"]:10.2f} ms; kept / this: {ratios[name]:.2f}'
        for name, row in steps.items()
    ]


if __name__ == '__main__':
    timing.run("Time DANN's step by allocator.", measure, add_flags)
