"""Runs with their data on the device, steps in chunks, evaluations in a thread."""

import json
import os
import signal

import jax
import numpy as np
import pytest

from transfer_jax import runs
from transfer_jax.runs import folder, recorder
from transfer_jax.training import checkpoint, parallel

STEPS = 12
THERE = {'data_on_device': 'always'}


@pytest.fixture
def background(monkeypatch):
    """Evaluations are in a thread, as on an accelerator."""
    monkeypatch.setattr(parallel, 'evaluates_in_background', lambda: True)


@pytest.fixture(scope='module')
def short(tiny):
    """make(**changes): one stage of DANN's kind, evaluated at steps 4, 8 and 12."""

    def make(**changes):
        stages = tuple(stage._replace(steps=STEPS) for stage in tiny().stages[:1])
        return tiny(stages=stages, **changes)

    return make


@pytest.fixture(scope='module')
def straight(short, tmp_path_factory):
    """The folder of an undisturbed run on the device, a step in a dispatch."""
    run_dir = tmp_path_factory.mktemp('straight')
    runs.run(short(), run_dir, chunk=1, **THERE)
    return run_dir


def _rows(run_dir, name):
    return folder.Rows(run_dir / f'{name}.jsonl').read()


def _check_equal(one, other, short, same_bits):
    """Same scores, same metrics where both have them, same bits."""
    assert _rows(one, 'history') == _rows(other, 'history')
    metrics = {row['step']: row for row in _rows(other, 'metrics')}
    for row in _rows(one, 'metrics'):
        assert row == metrics.get(row['step'], row)
    states = [
        runs.restore(short(), path, 0, short().data(0, None)) for path in (one, other)
    ]
    same_bits(*states)


def test_a_chunked_run_is_the_run(short, straight, tmp_path, same_bits):
    runs.run(short(), tmp_path, chunk=20, **THERE)
    _check_equal(tmp_path, straight, short, same_bits)
    assert [row['step'] for row in _rows(tmp_path, 'metrics')] == [4, 8, 12]


def test_rows_of_metrics_do_not_depend_on_the_chunk(tiny, tmp_path):
    steps = {}
    for chunk in (1, 40):
        stages = tuple(stage._replace(steps=70) for stage in tiny().stages[:1])
        run_dir = tmp_path / str(chunk)
        runs.run(tiny(stages=stages, evaluations=2), run_dir, chunk=chunk, **THERE)
        steps[chunk] = [row['step'] for row in _rows(run_dir, 'metrics')]
    assert steps[1] == steps[40] == [20, 35, 40, 60, 70]


def test_all_seeds_share_one_compiled_chunk(short, tmp_path):
    traces = []
    experiment = short(seeds=(0, 1, 2))
    (stage,) = experiment.stages

    def step(state, batch, key):
        traces.append(sorted(batch))
        return stage.method.step(state, batch, key)

    method = stage.method._replace(step=step)
    experiment = experiment._replace(stages=(stage._replace(method=method),))
    runs.run(experiment, tmp_path, chunk=5, **THERE)
    # For the shapes of its metrics, and for the loop
    assert traces == [['source', 'target']] * 2


def test_an_evaluation_in_a_thread_is_the_evaluation(
    short, straight, tmp_path, background, same_bits
):
    runs.run(short(), tmp_path, chunk=5, **THERE)
    _check_equal(tmp_path, straight, short, same_bits)
    result, other = (
        json.loads((path / 'result.json').read_text()) for path in (tmp_path, straight)
    )
    assert result['scores'] == other['scores']
    assert 0 <= result['cost']['evaluation'] < 1
    assert result['cost']['seconds'][0] > 0 and result['cost']['peak_memory'] > 1e6


class _Killed(BaseException):
    """As SIGKILL: nothing catches it."""


def _killed_at(count, function):
    """`function`, but the call of that number raises _Killed instead."""
    calls = 0

    def call(*args, **options):
        nonlocal calls
        calls += 1
        if calls == count:
            raise _Killed
        return function(*args, **options)

    return call


@pytest.mark.parametrize('before', ['scores', 'row', 'checkpoint', 'models'])
def test_a_kill_between_scores_row_checkpoint_and_models_changes_nothing(
    short, straight, tmp_path, background, monkeypatch, before, same_bits
):
    """Of the second evaluation, at step 8, while training goes on."""
    experiment = short()
    with monkeypatch.context() as patch:
        if before == 'scores':
            measure = _killed_at(2, experiment.measure)
            experiment = experiment._replace(measure=measure)
        elif before == 'row':
            append = folder.Rows.append

            def append_or_end(self, row):
                if 'target_test' in row and row['step'] == 8:
                    raise _Killed
                append(self, row)

            patch.setattr(folder.Rows, 'append', append_or_end)
        elif before == 'checkpoint':
            patch.setattr(checkpoint, 'save', _killed_at(2, checkpoint.save))
        else:
            keep = _killed_at(2, recorder.keep_chosen)
            patch.setattr(recorder, 'keep_chosen', keep)
        with pytest.raises(_Killed):
            runs.run(experiment, tmp_path, chunk=5, **THERE)
    saved = {int(path.name) for path in (tmp_path / 'checkpoints').glob('*/*/[0-9]*')}
    assert saved == ({4, 8} if before == 'models' else {4})
    runs.run(short(), tmp_path, chunk=5, **THERE)
    _check_equal(tmp_path, straight, short, same_bits)


def test_a_signal_is_obeyed_after_the_next_step(
    short, straight, tmp_path, background, same_bits
):
    def send(step, state, metrics):
        if step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    send.next_due = lambda step: 6 if step < 6 else STEPS
    with pytest.raises(runs.Interrupted):
        runs.run(short(), tmp_path, hooks=[send], chunk=20, **THERE)
    (stage,) = (tmp_path / 'checkpoints' / 'seed_0').iterdir()
    assert sorted(path.name for path in stage.iterdir()) == ['4', '7']
    runs.run(short(), tmp_path, chunk=20, **THERE)
    _check_equal(tmp_path, straight, short, same_bits)


def test_a_loss_that_is_not_finite_is_named_with_its_step(short, tmp_path, background):
    experiment = short()
    (stage,) = experiment.stages

    def step(state, batch, key):
        new, metrics = stage.method.step(state, batch, key)
        (name,) = [name for name in metrics if name.endswith('/loss')]
        bad = jax.numpy.where(state.step == 6, jax.numpy.nan, metrics[name])
        return new, {**metrics, name: bad}

    method = stage.method._replace(step=step)
    experiment = experiment._replace(stages=(stage._replace(method=method),))
    with pytest.raises(runs.NonFiniteError, match='is nan at step 7 of stage'):
        runs.run(experiment, tmp_path, chunk=20, **THERE)
    saved = [path.name for path in (tmp_path / 'checkpoints').glob('*/*/[0-9]*')]
    assert saved == ['4']


def test_runs_side_by_side_from_tables_on_the_device(
    short, straight, tmp_path, background
):
    """Each ends as alone, up to the rounding of vmap."""
    from transfer_jax.runs import vectorised

    experiment = short(seeds=(0, 1))
    run = vectorised.Run(experiment, tmp_path)
    assert vectorised.run([run], chunk=5, **THERE) == {}
    alone, zero, one = (
        runs.restore(experiment, path, seed, experiment.data(seed, None)).params
        for path, seed in ((straight, 0), (tmp_path, 0), (tmp_path, 1))
    )
    for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(zero), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    kernels = [of['encoder']['conv_1']['kernel'] for of in (zero, one)]
    assert abs(kernels[0] - kernels[1]).max() > 1e-3


def test_data_that_cannot_lie_on_the_device_is_refused(short, tmp_path):
    experiment = short()
    (stage,) = experiment.stages
    changed = stage._replace(
        stream=lambda *given: stage.stream(*given).map(lambda batch: batch)
    )
    with pytest.raises(ValueError, match='has no form for a device'):
        runs.run(experiment._replace(stages=(changed,)), tmp_path, **THERE)


def test_seeds_side_by_side_are_a_run_of_one_folder(short, tmp_path, monkeypatch):
    """As on an accelerator; the second command has nothing left to do."""
    monkeypatch.setattr(parallel, 'seeds_together', lambda: 0)
    experiment = short(seeds=(0, 1))
    result = runs.run(experiment, tmp_path)
    assert result['seeds'] == [0, 1] and len(result['starts']) == 2
    assert {row['seed'] for row in _rows(tmp_path, 'history')} == {0, 1}
    assert all(runs.finished(experiment, seed, tmp_path) for seed in (0, 1))
    again = runs.run(experiment, tmp_path, together=1)
    assert again['scores'] == result['scores']


def _stopped_at(step):
    """A hook that sends SIGTERM after a step, once."""

    def send(at, state, metrics):
        if at == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return send


def test_seeds_that_are_not_equally_far_lose_nothing(short, tmp_path):
    """One is stopped alone after two evaluations; then both go on side by side."""
    experiment = short(seeds=(0, 1))
    with pytest.raises(runs.Interrupted):
        runs.run(experiment, tmp_path, hooks=[_stopped_at(9)])
    before = _rows(tmp_path, 'history')
    assert [(row['seed'], row['step']) for row in before] == [(0, 4), (0, 8)]
    runs.run(experiment, tmp_path, together=0)
    rows = _rows(tmp_path, 'history')
    steps = {(row['seed'], row['step']) for row in rows}
    assert steps == {(seed, step) for seed in (0, 1) for step in (4, 8, 12)}
    assert [row for row in rows if row['seed'] == 0][:2] == before


def test_when_the_last_run_diverges_in_the_thread_all_have_failed(
    short, tmp_path, background
):
    from transfer_jax.runs import vectorised

    experiment = short(seeds=(0, 1))
    (stage,) = experiment.stages

    def step(state, batch, key):
        new, _ = stage.method.step(state, batch, key)
        broken = jax.tree.map(lambda leaf: leaf * np.inf, new.params)
        return new.replace(params=broken), {'a/loss': jax.numpy.float32(1.0)}

    method = stage.method._replace(step=step)
    experiment = experiment._replace(stages=(stage._replace(method=method),))
    failed = vectorised.run([vectorised.Run(experiment, tmp_path)], chunk=5, **THERE)
    assert 'are not finite after step 4' in failed[tmp_path]
