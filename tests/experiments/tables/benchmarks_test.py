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


def test_what_is_there_is_told_and_the_rest_is_not_measured(tmp_path):
    folder = tmp_path / 'benchmarks'
    folder.mkdir()
    (folder / 'overhead.json').write_text(json.dumps(OVERHEAD))
    rows = benchmarks.markdown(result_files.benchmarks([tmp_path])).splitlines()
    assert len(rows) == 2 + len(benchmarks.LINES)
    own = [row for row in rows if 'benchmarks.overhead' in row]
    assert len(own) == 1
    assert (
        '| +1.2 % and -0.4 % (32 pixels, 2 x 128) | below 5 % | CPU, 2 threads |'
        in own[0]
    )
    assert sum('not measured' in row for row in rows) == len(rows) - 3


def test_the_page_is_written_with_it():
    page = 'a\n<!-- table:benchmarks -->\n<!-- /table -->\nb\n'
    made = command.rewrite(page, [], [], {'overhead': OVERHEAD})
    assert '+1.2 %' in made and made.startswith('a\n') and made.endswith('\nb\n')


def test_curves_are_told_by_size():
    found = {
        'milliseconds': {'batch': {'DANN': {'128': 70.0, '16': 8.0}}},
        'slope': {'batch, DANN': 1.064},
    }
    made = benchmarks.markdown({'scaling': found}, 'curves')
    assert made.splitlines()[-1] == (
        '| images of a step | DANN | 16: 8, 128: 70 | 1.06 |'
    )


def test_the_cost_of_visda_grows_with_the_area():
    """35,467 hours at one image a second, four times that at half of the side."""
    found = {'machine': MACHINE, 'size': 112, 'images_a_second': {'ours': 1.0}}
    made = benchmarks.markdown({'resnet50': found}, 'visda').splitlines()
    assert made[-1] == '| CPU, 2 threads | 1.0 | 0.2 | 141,867 |'


def test_the_commands_are_there():
    for line in benchmarks.LINES:
        assert importlib.util.find_spec(f'benchmarks.{line.benchmark}'), line


def test_a_card_is_named():
    machine = {'backend': 'gpu', 'usable_cpus': 2, 'device': 'NVIDIA H100'}
    found = {'overhead': OVERHEAD | {'machine': machine}}
    assert '| NVIDIA H100 |' in benchmarks.markdown(found)
