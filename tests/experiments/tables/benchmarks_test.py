"""The table of docs/scaling.md: each number from the file of its own benchmark."""

import importlib.util
import json

from experiments.tables import benchmarks, command, result_files

MACHINE = {'backend': 'cpu', 'usable_cpus': 2}
OVERHEAD = {
    'machine': MACHINE,
    'size': 32,
    'batch': 128,
    'dan': {'median': 0.0123},
    'coral': {'median': -0.004},
}


def _cells(row):
    """Of a row of markdown."""
    return [cell.strip() for cell in row.strip('|').split('|')]


def test_a_number_without_a_result_file_is_not_measured(tmp_path):
    folder = tmp_path / 'benchmarks'
    folder.mkdir()
    (folder / 'overhead.json').write_text(json.dumps(OVERHEAD))
    rows = benchmarks.markdown(result_files.benchmarks([tmp_path])).splitlines()
    assert len(rows) == 2 + len(benchmarks.LINES)
    (row,) = [_cells(row) for row in rows if 'benchmarks.overhead' in row]
    for cell in (
        '+1.2 % and -0.4 % (32 pixels, 2 x 128)',
        'below 5 %',
        'CPU, 2 threads',
    ):
        assert cell in row
    assert sum('not measured' in row for row in rows) == len(rows) - 3


def test_a_page_is_rewritten_with_it():
    page = 'a\n<!-- table:benchmarks -->\n<!-- /table -->\nb\n'
    made = command.rewrite(page, [], [], {'overhead': OVERHEAD})
    assert '+1.2 %' in made and made.startswith('a\n') and made.endswith('\nb\n')


def test_curves_are_shown_by_size():
    result = {
        'milliseconds': {'batch': {'DANN': {'128': 70.0, '16': 8.0}}},
        'slope': {'batch, DANN': 1.064},
    }
    table = benchmarks.markdown({'scaling': result}, 'curves')
    cells = _cells(table.splitlines()[-1])
    assert cells == ['images of a step', 'DANN', '16: 8, 128: 70', '1.06']


def test_the_cost_of_visda_grows_with_the_area():
    """35,467 hours at one image a second, four times that at half of the side."""
    result = {'machine': MACHINE, 'size': 112, 'images_a_second': {'ours': 1.0}}
    table = benchmarks.markdown({'resnet50': result}, 'visda')
    cells = _cells(table.splitlines()[-1])
    assert cells == ['CPU, 2 threads', '1.0', '0.2', '141,867']


def test_the_commands_are_there():
    for line in benchmarks.LINES:
        assert importlib.util.find_spec(f'benchmarks.{line.benchmark}'), line


def test_an_accelerator_is_named():
    machine = {'backend': 'gpu', 'usable_cpus': 2, 'device': 'NVIDIA H100'}
    table = benchmarks.markdown({'overhead': OVERHEAD | {'machine': machine}})
    (row,) = [row for row in table.splitlines() if 'benchmarks.overhead' in row]
    assert 'NVIDIA H100' in _cells(row)
