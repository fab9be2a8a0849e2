"""The README's one table: which rows it takes, and which pages are rewritten."""

import functools
import pathlib
import re

from experiments.tables import adaptation, command, summary
from transfer_jax.reports import averages, tables

ROOT = pathlib.Path(__file__).parents[3]


def _row(task, method, last, *, norm='', differs='', published=None):
    column = {'mean': last, 'std': 0.01}
    scores = {'last': averages.score(column, seeds=2)}
    return tables.Row(
        task=task,
        method=method,
        experiment='x',
        number='target test accuracy',
        steps=100,
        seeds=2,
        examples=1000,
        scores=scores,
        rules={},
        gain=None,
        share=None,
        differs=differs,
        published=published,
        norm=norm,
    )


def _of(made):
    return lambda name: made.get(name, [])


def test_a_row_has_the_published_number_beside_ours():
    made = {'ganin': [_row('mnist_to_mnist_m, full', 'dann', 0.77, published=0.7666)]}
    rows = summary.rows(_of(made))
    assert len(rows) == len(summary.LINES)
    assert rows[:2] == [
        ['MNIST -> MNIST-M', 'source only', 'not run', '', '', ''],
        ['MNIST -> MNIST-M', 'DANN', '77.0 ± 1.0', '68.0 to 86.0', '76.7', '2'],
    ]
    page = summary.markdown(_of(made))
    row = '| MNIST -> MNIST-M | DANN | 77.0 ± 1.0 | 68.0 to 86.0 | 76.7 | 2 |'
    assert row in page
    assert summary.LEGEND in page and page.endswith(tables.OF_FEW)  # of 2 seeds
    assert summary.as_json(_of(made))[1]['published'] == '76.7'


def test_of_several_rows_the_one_of_the_paper_is_taken():
    """Its network, its weight, and a run."""
    task = 'usps_to_mnist, adda'
    row = functools.partial(_row, task, 'adda', published=0.901)
    made = {
        'digits': [
            row(0.94, norm='separate'),
            row(0.81, norm='none', differs='tuned = published'),
            row(0.85, norm='none', differs='tuned, weight 0.3'),
            row(0.0, norm='none')._replace(scores={}, seeds=0),
        ]
    }
    ours = [row[2] for row in summary.rows(_of(made)) if row[2] != 'not run']
    assert ours == ['81.0 ± 1.0']


def test_without_results_it_is_empty():
    assert summary.markdown(_of({})) == summary.text(_of({})) == ''


def test_every_row_has_a_published_number():
    for line in summary.LINES:
        blocks = adaptation.NAMED[line.table]()
        block = next(block for block in blocks if block.task == line.task)
        assert line.method in block.commands and line.method in block.published


def test_the_readme_has_this_table_and_that_of_costs():
    text = (ROOT / 'README.md').read_text()
    assert re.findall(command.MARKED, text, re.S) == [
        'benchmarks.costs',
        command.SUMMARY,
    ]
    rows = {tuple(row.split(' | ')[:2]) for row in text.splitlines()}
    # A method may have rows of other configs, which parentheses name.
    plain = {(row[0], row[-1].partition(' (')[0]) for row in rows}
    for line in summary.LINES:
        method = summary.TITLES.get(line.method, line.method.replace('_', ' '))
        assert (f'| {line.title}', method) in plain


def test_every_page_of_docs_with_markers_is_rewritten(tmp_path):
    (tmp_path / 'docs').mkdir()
    pages = [tmp_path / 'README.md', tmp_path / 'docs' / 'any.md']
    for page in pages:
        page.write_text('<!-- table:summary -->\n<!-- /table -->\n')
    args = ['readme', '--readme', str(pages[0]), '--runs', str(tmp_path / 'none')]
    command.main(args)
    for page in pages:
        assert 'No result files yet.' in page.read_text()
