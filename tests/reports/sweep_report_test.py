"""The report of a sweep: tables by what differs, curves, heat maps."""

import csv
import json

import numpy as np
import pytest

from transfer_jax import runs, selection
from transfer_jax.reports import sweep_entries, sweep_figures, sweep_report

RATES, WEIGHTS = (0.001, 0.01), (0.1, 1.0, 10.0)


@pytest.fixture
def members(tiny, tmp_path):
    """A grid of finished runs of two seeds each: [(experiment, run_dir), ...]."""
    made = []
    for i, rate in enumerate(RATES):
        for j, weight in enumerate(WEIGHTS):
            run_dir = tmp_path / f'{i}_{j}'
            run_dir.mkdir()
            accuracy = [0.1 * (i + j) + 0.02 * seed for seed in (0, 1)]
            column = {
                'mean': float(np.mean(accuracy)),
                'std': float(np.std(accuracy, ddof=1)),
                'values': accuracy,
            }
            result = {
                'format': runs.folder.FORMAT,
                'experiment': 'tests.tiny',
                'method': 'dann',
                'task': 'blobs',
                'fast': False,
                'config': {'rate': rate, 'weight': weight, 'seeds': 2, 'steps': 4},
                'seeds': [0, 1],
                'examples': 100,
                'numbers': {
                    name: number._asdict()
                    for name, number in runs.scoring.ADAPTATION.items()
                },
                'rules': {k: rule._asdict() for k, rule in selection.RULES.items()},
                'steps': dict.fromkeys(selection.RULES, [4, 4]),
                'scores': dict.fromkeys(selection.RULES, {'target_test': column}),
                'validators': {},
            }
            (run_dir / 'result.json').write_text(json.dumps(result))
            rows = [
                {
                    'seed': seed,
                    'stage': 'train',
                    'step': step,
                    'source_validation': 0.5,
                    'target_test': accuracy[seed],
                    selection.FIXED: float(i + j),
                    'temperature': 1.0,
                }
                for seed in (0, 1)
                for step in (2, 4)
            ]
            text = ''.join(json.dumps(row) + '\n' for row in rows)
            (run_dir / 'history.jsonl').write_text(text)
            made.append((tiny(), run_dir))
    return made


def test_a_sweep_leaves_tables_and_figures(members, tmp_path):
    sweep_dir, failed = tmp_path / 'sweep', {tmp_path / 'lost': 'no room <here>'}
    text = sweep_report.write(members, sweep_dir, failed).read_text()
    assert 'no room &lt;here&gt;' in text and '11.0 ± 1.4' in text
    figures = {path.stem for path in (sweep_dir / 'figures').iterdir()}
    assert figures == {
        *(f'grid_{rule}' for rule in selection.RULES),
        *runs.scoring.ADAPTATION,
    }
    with open(sweep_dir / 'table.csv') as file:
        rows = list(csv.DictReader(file))
    assert [(float(r['rate']), float(r['weight'])) for r in rows] == [
        (rate, weight) for rate in RATES for weight in WEIGHTS
    ]
    assert float(rows[1]['last_mean']) == pytest.approx(0.11)
    assert float(rows[1]['last_high']) == pytest.approx(0.11 + 0.02 / 2**0.5)
    lines = (sweep_dir / 'table.tex').read_text().splitlines()
    latex = [line.removesuffix(r' \\').split(' & ') for line in lines]
    rules = ('last', 'source validation', 'fixed validator', 'oracle')
    assert latex[2] == ['rate', 'weight', *rules, 'n']
    assert latex[5][:3] == ['0.001', '1', r'11.0 $\pm$ 1.4']


def test_the_bootstrap_interval_is_that_of_all_resamples():
    """Of two values a resample has mean a, (a + b) / 2 or b, with 1/4, 1/2, 1/4."""
    assert sweep_entries.interval([0.2, 0.4]) == (0.2, 0.4)
    values = list(np.random.default_rng(0).normal(size=40))
    low, high = sweep_entries.interval(values)
    error = np.std(values) / 40**0.5
    assert low == pytest.approx(np.mean(values) - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(np.mean(values) + 1.96 * error, abs=0.1 * error)
    assert sweep_entries.interval([0.3, 0.3]) == (0.3, 0.3)


def test_without_results_there_is_no_report(tiny, tmp_path):
    assert sweep_report.write([(tiny(), tmp_path)], tmp_path / 'sweep') is None


def test_the_first_configs_by_the_fixed_validator_are_drawn(members, monkeypatch):
    monkeypatch.setattr(sweep_figures, 'SHOWN', 2)
    entries = sweep_entries.read(members, False)
    text, drawn = sweep_figures.draw(entries)['Learning curves']
    assert text.startswith('The 2 configs of 6')
    legend = drawn['target_test'].axes[0].get_legend().get_texts()
    assert [t.get_text() for t in legend] == [
        'rate 0.01',  # both have weight 10
        'rate 0.001',
    ]
