"""What importing the package does not import: start-up stays within 2 seconds."""

import subprocess
import sys

HEAVY = (
    'orbax',
    'tensorflow',
    'tensorflow_datasets',
    'matplotlib',
    'grain',
    'ott',
    'sklearn',
    'scipy.stats',
    'PIL',
    'tensorboardX',
    'torch',
)


def _loaded(statement):
    check = (
        f'{statement}\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])'
    )
    run = subprocess.run(
        [sys.executable, '-c', check], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1]


def test_heavy_packages_are_imported_only_where_they_are_used():
    names = 'data evaluation losses methods models ops runs selection shallow training'
    rooms = ', '.join(f'transfer_jax.{name}' for name in names.split())
    pages = (
        'transfer_jax.cli, experiments.tasks.digit_pairs, experiments.adaptation.dann'
    )
    assert _loaded(f'import transfer_jax, {rooms}, {pages}') == '[]'
