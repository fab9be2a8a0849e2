"""Tables: their cells, the results that they take, and those that they refuse."""

import json

import pytest

from experiments.tables import adaptation, command
from transfer_jax import runs, selection
from transfer_jax.reports import tables

NUMBER = runs.scoring.ADAPTATION['target_test']


@pytest.fixture
def result():
    """make(method, last, ...) -> the content of a result.json."""

    def make(
        method,
        last,
        *,
        task='mnist_to_mnist_m, full',
        experiment='adaptation.dann',
        steps=100,
        std=0.01,
        seeds=(0, 1),
        fast=False,
        images=10_000,
        **config,
    ):
        def column(mean):
            deviation = std if len(seeds) > 1 else None
            return {'target_test': {'mean': mean, 'std': deviation}}

        rules = ('last', 'source_validation', 'fixed_validator', 'oracle')
        assert rules == tuple(selection.RULES)
        return {
            'format': runs.folder.FORMAT,
            'experiment': experiment,
            'method': method,
            'task': task,
            'fast': fast,
            'config': {'steps': steps, 'seeds': len(seeds), **config},
            'seeds': list(seeds),
            'examples': images,
            'numbers': {'target_test': NUMBER._asdict()},
            'rules': {k: rule._asdict() for k, rule in selection.RULES.items()},
            'steps': {rule: [steps] * len(seeds) for rule in rules},
            'scores': {r: column(last + 0.001 * i) for i, r in enumerate(rules)},
            'validators': {},
        }

    return make


@pytest.fixture
def written(tmp_path):
    """write(*results) -> the folder that holds them, each in a run folder."""

    def write(*results):
        for i, content in enumerate(results):
            run_dir = tmp_path / 'runs' / str(i)
            run_dir.mkdir(parents=True)
            (run_dir / 'result.json').write_text(json.dumps(content))
        return tmp_path / 'runs'

    return write


@pytest.fixture
def run(capsys):
    """run(*flags) -> (exit code, stdout, stderr) of `python -m experiments.table`."""

    def call(*flags):
        code = 0
        try:
            command.main([str(flag) for flag in flags])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return call


def test_the_share_of_the_gap_is_that_of_ganin(result):
    target = 'mnist_m_to_mnist_m, full'
    lines = tables.rows(
        [
            result('train_on_target', 0.9, task=target),
            result('dann', 0.7),
            result('source_only', 0.5),
        ],
        task='pair',
        published={'dann': 0.7666},
    )
    assert [line.method for line in lines] == ['source_only', 'dann', 'train_on_target']
    assert [line.share for line in lines] == [None, pytest.approx(0.5), None]
    assert lines[1].gain == pytest.approx(0.2)
    head, body = tables.cells(lines)
    rules = ['last', 'source validation', 'fixed validator', 'oracle']
    assert [name for name in head if name in rules] == rules
    assert dict(zip(head, body[1], strict=True)) == {
        'method': 'dann',
        **dict(zip(rules, [f'70.{i} ± 1.0' for i in range(4)], strict=True)),
        'interval': '61.0 to 79.0',  # 12.706 * 1.0 / sqrt(2) = 8.98 points around 70
        'gain': '+20.0',
        'gap covered': '50 %',
        'published': '76.7',
        'n': '2',
        'steps': '100',
        'images': '10,000',
    }


def test_without_train_on_target_there_is_a_gain(result):
    head, body = tables.cells(
        tables.rows([result('source_only', 0.5), result('adda', 0.75)])
    )
    assert [row[head.index('gain')] for row in body] == ['', '+25.0']
    assert 'gap covered' not in head and 'published' not in head


def test_one_seed_has_no_standard_deviation(result):
    head, body = tables.cells(tables.rows([result('dann', 0.5, seeds=(0,))]))
    assert body[0][head.index('last')] == '50.0'
    assert body[0][head.index('n')] == '1'


def test_a_method_is_compared_with_the_baseline_of_its_steps(result):
    lines = tables.rows(
        [
            result('source_only', 0.4, steps=10),
            result('source_only', 0.5, steps=100),
            result('dann', 0.6, steps=100),
            result('dann', 0.7, steps=7),
        ]
    )
    gains = {line.steps: line.gain for line in lines if line.method == 'dann'}
    assert gains[100] == pytest.approx(0.1)
    assert gains[7] is None  # with which of the two it should be is unclear


def test_two_runs_of_one_method_differ_in_their_config(result):
    lines = tables.rows([result('dann', 0.5, rate=0.1), result('dann', 0.6, rate=0.2)])
    assert [line.differs for line in lines] == ['rate 0.1', 'rate 0.2']
    head, body = tables.cells(lines)
    assert [row[head.index('config')] for row in body] == ['rate 0.1', 'rate 0.2']


def test_text_is_aligned_and_explains_the_oracle(result):
    text = tables.text(tables.rows([result('source_only', 0.5), result('dann', 0.6)]))
    head, _, *body = text.splitlines()[2:6]
    end = head.index('last') + len('last')
    assert [line[:end][-10:] for line in body] == ['50.0 ± 1.0', '60.0 ± 1.0']
    assert [line[:11].rstrip() for line in body] == ['source only', 'dann']
    assert 'target test labels, which no other column looks at' in text
    assert 'information maximization' in text


def test_markdown_has_one_cell_for_each_heading(result):
    text = tables.markdown(tables.rows([result('dann', 0.5)]))
    rows = [line for line in text.splitlines() if line.startswith('|')]
    assert len(rows) == 3
    assert len({row.count('|') for row in rows}) == 1


def test_a_table_is_built_from_files_and_names_what_is_missing(result, written, run):
    root = written(result('dann', 0.7), result('source_only', 0.5))
    code, out, _ = run('ganin', '--runs', root)
    assert code == 0
    assert '70.0 ± 1.0' in out and '76.7' in out
    missing = [line for line in out.splitlines() if '--config.source mnist_m' in line]
    assert len(missing) == 1
    assert missing[0].endswith(
        'python -m experiments.adaptation.source_only --config.source mnist_m '
        '--config.target mnist_m --config.network mnist'
    )


def test_results_of_fast_runs_are_left_out_and_named(result, written, run):
    root = written(result('dann', 0.123, fast=True))
    code, out, _ = run('ganin', '--runs', root)
    assert code == 0
    assert '12.3' not in out
    assert 'fast' in out and str(root / '0' / 'result.json') in out


def test_train_on_target_joins_the_pair_of_its_domain_and_network(result):
    def trained(last, network):
        return result(
            'train_on_target',
            last,
            task='mnist_to_mnist, full',
            source='mnist',
            network=network,
        )

    lines, missing = command.build(
        command.named('ganin'), [trained(0.91, ''), trained(0.92, 'svhn')]
    )
    assert [(line.task, line.scores['last'].mean) for line in lines] == [
        ('svhn_to_mnist, full', 0.92)
    ]
    assert ('svhn_to_mnist, full', 'train_on_target') not in {
        (entry['task'], entry['method']) for entry in missing
    }


def test_a_subset_is_named_so_and_nothing_published_is_beside_it(result):
    task = 'syn_signs_to_gtsrb, full'
    lines, _ = command.build(
        command.named('ganin'),
        [
            result('dann', 0.5, task=task, images=1326),
            result('dann', 0.6, task=task, images=12_630),
        ],
    )
    assert [(line.task, line.published) for line in lines] == [
        (task, 0.8865),
        (f'{task}, subset', None),
    ]


def test_a_copy_of_a_result_counts_once(result, written, run):
    root = written(result('dann', 0.7), result('dann', 0.7), result('dann', 0.6))
    _, out, _ = run('ganin', '--json', '--runs', root)
    means = [row['scores']['last']['mean'] for row in json.loads(out)['rows']]
    assert sorted(means) == [0.6, 0.7]


def test_json_is_json_and_nothing_else(result, written, run):
    root = written(
        result('source_only', 0.5, task='mnist_to_usps, adda'),
        result('adda', 0.75, task='mnist_to_usps, adda', seeds=(0,)),
    )
    _, out, _ = run('adda', '--json', '--runs', root)
    content = json.loads(out)
    assert content['table'] == 'adda'
    row = content['rows'][1]
    assert (row['method'], row['published'], row['seeds']) == ('adda', 0.894, 1)
    assert row['gain'] == pytest.approx(0.25)
    score = {'mean': 0.75, 'std': None, 'percent': True, 'interval': None}
    assert row['scores']['last'] == score
    assert row['baseline']['last'] == 0.5
    assert len(content['rows'][0]['scores']['last']['interval']) == 2
    assert {entry['task'] for entry in content['missing']} == {'usps_to_mnist, adda'}


@pytest.mark.parametrize('name', command.NAMED)
def test_a_table_without_results_says_how_to_make_them(name, tmp_path, run):
    code, out, _ = run(name, '--runs', tmp_path)
    assert code == 0
    assert 'no result files found' in out
    assert out.count('python -m experiments.') >= 2


def test_an_unknown_name_lists_the_names(run):
    code, out, err = run('no_such')
    assert code == 2 and out == ''
    for name in command.NAMED:
        assert name in err


def test_only_results_are_read(result, written, run):
    root = written(result('dann', 0.7))
    (root / '0' / 'config.json').write_text('{"config": {}}')
    (root / '0' / 'checkpoints').mkdir()
    (root / '0' / 'checkpoints' / 'damaged.json').write_text('{')
    assert run('ganin', '--runs', root)[0] == 0
    (root / 'damaged.json').write_text('{')
    code, _, err = run('ganin', '--runs', root)
    assert code == 2 and 'damaged.json' in err


OLD = {  # version 0.1
    'experiment': 'adaptation.dann',
    'arm': 'dann',
    'task': 'mnist_to_mnist_m, full',
    'fast': False,
    'config': {'steps': 100, 'seeds': 1},
    'git': '371a5a7',
    'seeds': [0],
    'target_test_images': 10_000,
    'target_accuracy': {'last': {'mean': 0.7, 'std': None, 'steps': [100]}},
    'fixed_validator': 'information_maximization',
}


@pytest.mark.parametrize('name', ['ganin', 'transfer'])
def test_a_result_of_an_older_version_is_refused_in_one_line(
    name, result, written, run
):
    root = written(result('dann', 0.6), OLD)
    code, out, err = run(name, '--runs', root)
    assert code == 2 and out == ''
    assert len(err.splitlines()) == 1
    assert str(root / '1' / 'result.json') in err and '371a5a7' in err
    assert 'read it with that version, or run its experiment again' in err


def test_the_readme_is_rewritten_between_its_markers(result, written, run, tmp_path):
    root = written(result('dann', 0.7))
    readme = tmp_path / 'README.md'
    readme.write_text(
        'before\n<!-- table:ganin -->\nold\n<!-- /table -->\nbetween\n'
        '<!-- table:adda -->\n<!-- /table -->\nafter\n'
    )
    flags = ('readme', '--runs', root, '--readme', readme)
    code, out, _ = run(*flags, '--check')
    assert code == 1 and 'python -m experiments.table readme' in out
    assert 'old' in readme.read_text()
    assert run(*flags)[0] == 0
    text = readme.read_text()
    assert text.startswith('before\n<!-- table:ganin -->\n')
    assert '\nbetween\n<!-- table:adda -->\nNo result files yet.\n' in text
    assert text.endswith('<!-- /table -->\nafter\n')
    assert '70.0 ± 1.0' in text and 'old' not in text
    assert run(*flags, '--check')[0] == 0
    assert run(*flags)[0] == 0 and readme.read_text() == text


def test_a_readme_with_an_unknown_table_is_an_error(written, run, tmp_path):
    readme = tmp_path / 'README.md'
    readme.write_text('<!-- table:nothing -->\n<!-- /table -->\n')
    code, _, err = run('readme', '--readme', readme, '--runs', tmp_path)
    assert code == 2 and 'nothing' in err


def test_published_numbers_are_those_of_the_docstrings():
    from experiments.adaptation import dann

    for low, ours, high in adaptation.GANIN.values():
        for value in (low, ours, high):
            assert f'{100 * value:.2f}' in dann.__doc__
