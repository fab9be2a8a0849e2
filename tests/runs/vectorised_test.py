"""Runs that differ in numbers alone: one program, the same results, each resumable."""

import dataclasses
import json
import os
import shutil
import signal

import jax
import numpy as np
import pytest

from transfer_jax import methods, runs
from transfer_jax.runs import folder, grouping, vectorised
from transfer_jax.training import fit, optim

STEPS = 4
TRACES = []


@dataclasses.dataclass(frozen=True)
class Config:
    """Of an experiment: its rate and weight may be traced, its share may not."""

    rate: float = 0.05
    weight: float = 0.5
    share: float = 0.5
    """Of the batch that is used."""


@pytest.fixture(scope='module')
def build(tiny, networks):
    """The experiment: MCC in one stage of STEPS steps."""
    encoder, classifier, _ = networks(dropout=0.0)

    def build(config):
        tx = optim.sgd(optim.constant(config.rate))
        method = methods.mcc(
            encoder,
            classifier,
            txs={'encoder': tx, 'classifier': tx},
            weight=optim.constant(config.weight),
        )

        def step(state, batch, key):
            TRACES.append(config)
            return method.step(state, batch, key)

        keep = int(8 * config.share)

        def stream(pair, previous):
            whole = tiny().stages[0].stream(pair, previous)
            return whole.map(lambda batch: jax.tree.map(lambda x: x[:keep], batch))

        stage = runs.Stage('train', STEPS, method._replace(step=step), stream)
        return tiny()._replace(
            config=config,
            name='tests.mcc',
            method='mcc',
            stages=(stage,),
            seeds=(0, 1),
            evaluations=2,
            measure=lambda *given: runs.scoring.measure_adaptation(*given),
        )

    return build


CONFIGS = [Config(), Config(rate=0.1), Config(weight=1.0)]
TRACED = ('rate', 'weight')


def _runs(experiments, root):
    return [vectorised.Run(one, root / f'run_{i}') for i, one in enumerate(experiments)]


def _states(run):
    return [
        runs.restore(run.experiment, run.run_dir, seed, run.experiment.data(seed, None))
        for seed in run.experiment.seeds
    ]


def _params(run):
    return [jax.device_get(state.params) for state in _states(run)]


@pytest.fixture(scope='module')
def single(build, tmp_path_factory):
    """The parameters of each run of CONFIGS by itself, by seed."""
    several = _runs(map(build, CONFIGS), tmp_path_factory.mktemp('single'))
    for run in several:
        runs.run(*run)
    return [_params(run) for run in several]


def _close(found, expected):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_shared_runs_are_one_trace_and_those_of_their_configs(build, tmp_path, single):
    several = _runs(grouping.share(build, CONFIGS, TRACED), tmp_path)
    TRACES.clear()
    for run in several:
        runs.run(*run)
    assert len(TRACES) == 1
    _close([_params(run) for run in several], single)
    assert not np.allclose(
        *(single[i][0]['encoder']['conv_1']['kernel'] for i in (0, 1))
    )
    # The folder is that of the run by itself, which finds nothing left to do.
    result = runs.run(build(CONFIGS[1]), several[1].run_dir)
    assert result['config'] == dataclasses.asdict(CONFIGS[1])
    _close(_params(vectorised.Run(build(CONFIGS[1]), several[1].run_dir)), single[1])


def test_a_stopped_shared_run_goes_on_to_the_same_bits(
    build, tmp_path, same_bits, monkeypatch
):
    def shared(root):
        return _runs(grouping.share(build, CONFIGS[:2], TRACED), root)[1]

    straight, stopped = shared(tmp_path / 'straight'), shared(tmp_path / 'stopped')
    runs.run(*straight)
    _stop_at_the_first_evaluation(monkeypatch)
    with pytest.raises(runs.Interrupted):
        runs.run(*stopped)
    runs.run(*stopped)
    same_bits(_params(straight), _params(stopped))


def _stop_at_the_first_evaluation(monkeypatch):
    measure = runs.scoring.measure_adaptation

    def stop(*args, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        monkeypatch.setattr(runs.scoring, 'measure_adaptation', measure)
        return measure(*args, **options)

    monkeypatch.setattr(runs.scoring, 'measure_adaptation', stop)


@pytest.mark.parametrize('how', ['unroll', 'vmap'])
def test_runs_at_the_same_time_equal_runs_one_by_one(build, tmp_path, single, how):
    several = _runs(grouping.share(build, CONFIGS, TRACED), tmp_path)
    assert vectorised.run(several, how=how, most=4) == {}
    _close([_params(run) for run in several], single)
    for run in several:
        rows = folder.Rows(run.run_dir / 'history.jsonl').read()
        seen = sorted((row['seed'], row['step']) for row in rows)
        assert seen == [(0, 2), (0, 4), (1, 2), (1, 4)]
        assert (run.run_dir / 'result.json').exists()
    for run in several:  # each seed notes what it is trained with
        result = json.loads((run.run_dir / 'result.json').read_text())
        data = [run.experiment.data(seed, None) for seed in (0, 1)]
        assert [(start['seed'], start['data']) for start in result['starts']] == [
            (seed, runs.provenance.digest(data[seed])) for seed in (0, 1)
        ]


def test_a_stopped_group_goes_on_to_the_same_bits(
    build, tmp_path, same_bits, monkeypatch
):
    def shared(root):
        return _runs(grouping.share(build, CONFIGS[:2], TRACED), root)

    straight = shared(tmp_path / 'straight')
    vectorised.run(straight)
    stopped = shared(tmp_path / 'stopped')
    _stop_at_the_first_evaluation(monkeypatch)
    with pytest.raises(runs.Interrupted):
        vectorised.run(stopped)
    # As if a crash had come between the checkpoints of two runs: all go on from 2.
    newest = runs.stages.checkpoint_dir(
        stopped[1].run_dir, 1, 0, stopped[1].experiment.stages[0]
    )
    found = sorted(int(path.name) for path in newest.iterdir() if path.name.isdigit())
    assert found[-1] < STEPS
    shutil.rmtree(newest / str(found[-1]))
    vectorised.run(stopped)
    for one, two in zip(straight, stopped, strict=True):
        same_bits(_params(one), _params(two))
        histories = [
            folder.Rows(r.run_dir / 'history.jsonl').read() for r in (one, two)
        ]
        assert histories[0] == histories[1]
        models = [_models(r.run_dir) for r in (one, two)]
        assert models[0] == models[1] and 'models/seed_1/last/model.json' in models[0]


def _models(run_dir):
    """{name: bytes} of the files of all models."""
    files = [path for path in (run_dir / 'models').rglob('*') if path.is_file()]
    return {str(path.relative_to(run_dir)): path.read_bytes() for path in files}


def test_a_diverged_run_does_not_end_the_others(build, tmp_path):
    configs = [Config(), Config(rate=1e30)]
    several = _runs(grouping.share(build, configs, TRACED), tmp_path)
    failed = vectorised.run(several)
    assert list(failed) == [several[1].run_dir]
    assert 'A smaller learning rate is the usual cure' in failed[several[1].run_dir]
    assert (several[0].run_dir / 'result.json').exists()
    assert not (several[1].run_dir / 'result.json').exists()


def test_when_every_run_has_diverged_each_has_its_reason(build, tmp_path):
    configs = [Config(rate=1e30), Config(rate=2e30)]
    several = _runs(grouping.share(build, configs, TRACED), tmp_path)
    failed = vectorised.run(several)
    assert list(failed) == [run.run_dir for run in several]
    assert all('the usual cure' in reason for reason in failed.values())


def test_a_group_that_does_not_fit_is_split(build, tmp_path, monkeypatch, single):
    seen = []

    def small(method, state, *args, **options):
        count = state.step.shape[0]
        seen.append(count)
        if count > 2:
            raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: out of memory')
        return fit(method, state, *args, **options)

    monkeypatch.setattr(vectorised, 'fit', small)
    several = _runs(grouping.share(build, CONFIGS, TRACED), tmp_path)
    assert vectorised.run(several) == {}
    assert seen == [6, 3, 2, 2, 2]
    _close([_params(run) for run in several], single)


def test_a_field_that_decides_what_is_built_is_refused(build):
    with pytest.raises(ValueError, match="'share' decides what is built"):
        grouping.share(build, CONFIGS, (*TRACED, 'share'))
    with pytest.raises(ValueError, match='is not of the group'):
        grouping.share(build, [Config(), Config(share=1.0)], TRACED)


def test_runs_of_other_shapes_are_refused(build, tmp_path):
    several = _runs([build(Config()), build(Config(share=1.0))], tmp_path)
    with pytest.raises(ValueError, match='a field that changes shapes'):
        vectorised.run(several)
