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
    text = benchmarks.markdown(result_files.benchmarks([tmp_path]))
    rows, note = text.splitlines()[:-2], text.splitlines()[-1]
    assert len(rows) == 2 + len(benchmarks.LINES)
    (row,) = [_cells(row) for row in rows if 'benchmarks.overhead' in row]
    assert row[2:] == [
        '+1.2 % and -0.4 % (32 pixels, 2 x 128)',
        'not measured',
        'below 5 %',
    ]
    assert note == 'CPU, 2 threads: overhead.'
    assert sum(row.count('not measured') for row in rows) == 2 * len(rows) - 5


def test_an_accelerator_has_a_column(tmp_path):
    folder = tmp_path / 'benchmarks' / 'gpu'
    folder.mkdir(parents=True)
    machine = {'backend': 'gpu', 'usable_cpus': 2, 'device': 'H100', 'jax': '1.0'}
    content = OVERHEAD | {'machine': machine}
    (folder / 'overhead.json').write_text(json.dumps(content))
    contents = result_files.benchmarks([tmp_path]) | {'overhead': OVERHEAD}
    text = benchmarks.markdown(contents)
    (row,) = [row for row in text.splitlines() if 'benchmarks.overhead' in row]
    assert _cells(row)[2] == _cells(row)[3] == '+1.2 % and -0.4 % (32 pixels, 2 x 128)'
    note = text.splitlines()[-1]
    assert note == 'CPU, 2 threads: overhead. H100, jax 1.0: overhead.'


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
    fast = {'machine': MACHINE, 'size': 224, 'images_a_second': {'ours': 4601.0}}
    contents = {'resnet50': result, 'gpu/resnet50': fast}
    rows = benchmarks.markdown(contents, 'visda').splitlines()[2:]
    assert [_cells(row) for row in rows] == [
        ['CPU, 2 threads', '112', '1.0', '0.2', '141,867'],
        ['CPU, 2 threads', '224', '4,601.0', '4,601.0', '8'],
    ]


def test_the_commands_are_there():
    for line in benchmarks.LINES:
        assert importlib.util.find_spec(f'benchmarks.{line.benchmark}'), line
