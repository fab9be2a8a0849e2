"""benchmarks.device: its budget, going on, failures and table; what it measures."""

import json
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from benchmarks import device, device_parts, goals, precision, vmapped_convolution
from transfer_jax.ops import convolution

FACTS = {'machine': {'backend': 'gpu', 'device': 'a card'}, 'small': False}


def _quick(settings, result):
    result['number'] = 0.1
    yield goals.at_most('a ratio', 0.1, 0.12)
    yield goals.below('a share', 0.5, 0.05)


def _broken(settings, result):
    yield goals.Row('the first row', '1 s')
    raise MemoryError('out of memory\nand more')


def _part(measure, least=1.0, most=60.0):
    return device_parts.Part(measure, least, most)


@pytest.fixture
def run(tmp_path):
    """run(parts, **options) -> (names of the parts that started, table)."""

    def run(parts, facts=FACTS, seconds=100.0, **options):
        started = []

        def start(name, left):
            started.append((name, left))
            try:
                device.measure_part(parts, name, tmp_path, facts, False)
            except Exception as error:
                return f'failed: {error}'.splitlines()[0]
            return ''

        device.run_parts(parts, tmp_path, facts, start, seconds=seconds, **options)
        return dict(started), (tmp_path / 'table.txt').read_text()

    return run


def _line(table, *words):
    (line,) = [line for line in table.splitlines() if all(w in line for w in words)]
    return line


def test_the_table_has_each_row_with_its_goal(run):
    started, table = run({'quick': _part(_quick)})
    assert list(started) == ['quick']
    assert _line(table, 'a ratio', '0.1', '<= 0.12').endswith('met')
    assert _line(table, 'a share', '+50.0%', '< 5%').endswith('MISSED')
    assert 'a card' in table.splitlines()[0]


def test_small_sizes_meet_no_goal(run):
    _, table = run({'quick': _part(_quick)}, FACTS | {'small': True})
    assert 'met' not in table and 'MISSED' not in table


def test_a_part_that_fails_is_named_and_the_next_one_runs(run):
    started, table = run({'broken': _part(_broken), 'quick': _part(_quick)})
    assert list(started) == ['broken', 'quick']
    assert _line(table, 'broken', 'the first row')
    assert _line(table, 'broken', 'failed: out of memory')
    assert _line(table, 'a ratio')


def test_what_an_ended_command_has_measured_is_in_the_table(run, tmp_path):
    def ended(settings, result):
        yield goals.Row('the first row', '1 s')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run({'ended': _part(ended)})
    table = (tmp_path / 'table.txt').read_text()
    assert _line(table, 'the first row') and _line(table, 'ended', 'stopped')


def test_no_part_begins_with_less_time_than_it_needs(run):
    parts = {'long': _part(_quick, least=200.0), 'quick': _part(_quick, most=30.0)}
    started, table = run(parts)
    assert started == {'quick': 30.0}
    assert _line(table, 'long', 'not run: the budget was used up')


def test_the_same_command_goes_on_where_it_stopped(run, capsys):
    parts = {'quick': _part(_quick), 'broken': _part(_broken)}
    run(parts)
    capsys.readouterr()
    started, table = run(parts)
    assert list(started) == ['broken']
    assert 'quick: finished before' in capsys.readouterr().out
    assert _line(table, 'a ratio')
    assert list(run(parts, again=True)[0]) == ['quick', 'broken']
    other = FACTS | {'machine': {'backend': 'gpu', 'device': 'another card'}}
    assert list(run(parts, other)[0]) == ['quick', 'broken']


def test_rows_of_another_device_are_not_shown(run):
    parts = {'quick': _part(_quick)}
    run(parts)
    other = FACTS | {'machine': {'backend': 'gpu', 'device': 'another card'}}
    _, table = run({'quick': _part(_quick, least=200.0)}, other)
    assert 'a ratio' not in table and _line(table, 'not run')


def test_a_process_is_stopped_with_all_that_it_started(tmp_path):
    late = tmp_path / 'late'
    child = f'import pathlib, time; time.sleep(2); pathlib.Path({str(late)!r}).touch()'
    code = f'import subprocess, sys; subprocess.run([sys.executable, "-c", {child!r}])'
    start = time.monotonic()
    reason = device.in_process([sys.executable, '-c', code], tmp_path / 'log', 1.0)
    assert reason.startswith('stopped after 1 s')
    time.sleep(max(0.0, start + 3.0 - time.monotonic()))
    assert not late.exists()


def test_a_process_that_fails_is_named_by_its_last_line(tmp_path):
    command = [sys.executable, '-c', 'raise ValueError("no such device")']
    reason = device.in_process(command, tmp_path / 'log', 30.0)
    assert reason == 'failed (1): ValueError: no such device'
    assert device.in_process([sys.executable, '-c', ''], tmp_path / 'log', 30.0) == ''


def test_a_part_is_measured(tmp_path):
    facts = {'machine': {'backend': 'cpu'}, 'small': True}
    name = 'adaptation_losses'
    result = device.measure_part(device_parts.PARTS, name, tmp_path, facts, False)
    assert device.finished(tmp_path, name, facts)
    assert [row['what'][:11] for row in result['rows']] == [
        'loss of DAN',
        'loss of COR',
    ]
    assert result['dan']['milliseconds']['ours']['min'] > 0


@pytest.mark.parametrize('form', vmapped_convolution.FORMS)
def test_forms_of_several_convolutions_agree(form):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 8, 8, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 5, 5, 3, 4)).astype(np.float32)
    made = jax.jit(vmapped_convolution.FORMS[form])(x, kernel)
    expected = [convolution.by_xla(*one) for one in zip(x, kernel, strict=True)]
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-4)


def test_a_precision_reaches_the_products_of_a_step():
    asked = {}
    for name in ('float32', 'bfloat16', 'three passes'):
        applied = precision.PRECISIONS[name]
        with precision.applied(applied):
            built = precision.experiment(True, 2, applied)
            asked[name] = set(precision.products_of(built))
    assert asked['float32'] == {'float32, HIGHEST'}
    assert asked['bfloat16'] == {'bfloat16, DEFAULT', 'float32, DEFAULT'}
    assert asked['three passes'] == {'float32, BF16_BF16_F32_X3'}
    assert jax.config.jax_default_matmul_precision is None


@pytest.mark.slow
def test_the_command(tmp_path):
    command = [sys.executable, '-m', 'benchmarks.device', '--small', '--only', 'losses']
    command += ['--out', str(tmp_path), '--budget', '300']
    for expected in ('adaptation_losses (of', 'finished before'):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert expected in done.stdout and 'loss of DAN' in done.stdout
    assert json.loads((tmp_path / 'adaptation_losses.json').read_text())['finished']
