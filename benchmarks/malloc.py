"""A step of DANN where malloc keeps freed memory, as every page asks, and where not.

    python -m benchmarks.malloc [--json] [--rounds N] [--out FILE]

The step of benchmarks.dann_step, in a process for each way: allocator.py; glibc
as it is; glibc with transparent huge pages. The processes take turns. On an accelerator
all are the same.
"""

from benchmarks import sweeps, timing

# {name: $GLIBC_TUNABLES}; where it sets malloc, cli.allocator does nothing.
WAYS = {
    'kept': '',
    'glibc': 'glibc.malloc.mmap_max=65536',  # its default
    'glibc, huge pages': 'glibc.malloc.hugetlb=1',
}


def main() -> None:
    parser = timing.parser("Time DANN's step by allocator.")
    parser.add_argument('--rounds', type=int, default=10)
    flags = parser.parse_args()

    sides = {
        name: sweeps.Processes(1, GLIBC_TUNABLES=setting)
        for name, setting in WAYS.items()
    }
    times = timing.paired(sides, rounds=flags.rounds, repeats=1)
    steps = {
        name: {kind: row[kind] / sweeps.TOGETHER for kind in ('min', 'median')}
        for name, row in times.items()
    }
    result = {'machine': timing.machine(), 'milliseconds': steps}
    result['ratios'] = {
        name: steps['kept']['min'] / row['min'] for name, row in steps.items()
    }
    lines = [', '.join(f'{k} {v}' for k, v in result['machine'].items())]
    lines += [
        f'{name:20}{row["min"]:10.2f} ms; kept by this: {result["ratios"][name]:.2f}'
        for name, row in steps.items()
    ]
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
