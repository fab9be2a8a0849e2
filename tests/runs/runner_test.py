"""Runs: stages, seeds, history, interruption, non-finite losses."""

import json
import os
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import cli, runs, selection
from transfer_jax.training import checkpoint, fit


def _states(experiment, run_dir):
    return [
        runs.restore(experiment, run_dir, seed, experiment.data(seed, None))
        for seed in experiment.seeds
    ]


def _stages(experiment, change):
    """The experiment with `change(method)` for the method of each stage."""
    return experiment._replace(
        stages=tuple(
            stage._replace(method=change(stage.method)) for stage in experiment.stages
        )
    )


def _disturbed(experiment, stage, step, act):
    """The experiment, but reading the batch of that step of that stage calls act."""

    class Stream:
        def __init__(self, stream):
            self._stream = stream

        def __getitem__(self, t):
            batch = self._stream[t]
            return act(batch) or batch if t == step else batch

    def change(found):
        if found.name != stage:
            return found
        return found._replace(stream=lambda *given: Stream(found.stream(*given)))

    return experiment._replace(stages=tuple(map(change, experiment.stages)))


@pytest.fixture(scope='module')
def straight(request, tmp_path_factory):
    """A run without any disturbance: its folder."""
    return tmp_path_factory.mktemp('straight') / 'run'


@pytest.fixture
def reference(tiny, straight):
    """The last state of an undisturbed run; run once."""
    if not straight.exists():
        runs.run(tiny(), straight)
    return runs.restore(tiny(), straight, 0, tiny().data(0, None))


def test_a_run_leaves_history_metrics_checkpoints_and_a_result(tiny, tmp_path):
    experiment = tiny(seeds=(0, 1))._replace(golden='0123')
    result = runs.run(experiment, tmp_path)
    assert json.loads((tmp_path / 'result.json').read_text()) == result
    assert result['fast'] and result['seeds'] == [0, 1]
    assert set(result['scores']) == {
        'last',
        'source_validation',
        'fixed_validator',
        'oracle',
    }
    column = result['scores']['oracle']['target_test']
    np.testing.assert_allclose(column['mean'], np.mean(column['values']))
    np.testing.assert_allclose(column['std'], np.std(column['values'], ddof=1))
    lines = (tmp_path / 'history.jsonl').read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row['seed'], row['stage'], row['step']) for row in rows] == [
        (seed, stage, step)
        for seed in (0, 1)
        for stage in ('source', 'adapt')
        for step in (2, 4, 6)
    ]
    assert result['validators'].keys() == selection.VALIDATORS.keys()
    for name, chosen in result['validators'].items():
        best = [selection.best(rows[i : i + 3], name) for i in (3, 9)]
        values = chosen['target_test']['values']
        assert values == [row['target_test'] for row in best]
        assert chosen['steps'] == [row['step'] for row in best]
    chosen = result['validators'][selection.FIXED]
    assert chosen['steps'] == result['steps']['fixed_validator']
    assert chosen['target_test'] == result['scores']['fixed_validator']['target_test']
    best = [selection.best(rows[i : i + 3], selection.FIXED) for i in (3, 9)]
    assert chosen['scores'] == [row[selection.FIXED] for row in best]
    # Once a run, at its very end.
    for name in selection.DIAGNOSTICS:
        assert [i for i, row in enumerate(rows) if name in row] == [5, 11]
        column = result['diagnostics'][name]
        assert column['values'] == [rows[5][name], rows[11][name]]
        assert column['mean'] == np.mean(column['values'])
    last = result['scores']['last']['target_test']
    assert result['steps']['last'] == [6, 6]
    assert last['values'][0] == rows[5]['target_test']
    assert result['examples'] == rows[0]['target_test_images'] == 8
    # What each seed was trained with is noted when it starts.
    assert [start['seed'] for start in result['starts']] == [0, 1]
    digests = [runs.provenance.digest(experiment.data(s, None)) for s in (0, 1)]
    assert [start['data'] for start in result['starts']] == digests
    assert {start['golden'] for start in result['starts']} == {'0123'}
    for n, seed in enumerate((0, 1)):
        saved = tmp_path / 'checkpoints' / f'seed_{seed}' / '1_adapt'
        assert {p.name for p in saved.iterdir()} >= {'4', '6'}
        # What each rule without target labels picks is there too, and no other.
        models = tmp_path / 'models' / f'seed_{seed}'
        picked = {p.name: runs.model_folder.step_of(p) for p in models.iterdir()}
        assert picked == {
            rule: result['steps'][rule][n]
            for rule in ('last', 'source_validation', 'fixed_validator')
        }


def test_a_rule_without_a_number_in_some_row_is_left_out_and_named(tiny):
    nan = float('nan')

    def row(seed, step, fixed):
        scores = {**dict.fromkeys(selection.VALIDATORS, 0.5), selection.FIXED: fixed}
        at = {'seed': seed, 'stage': 'adapt', 'step': step}
        return {**at, **scores, 'target_test': step / 10, 'target_test_images': 8}

    def result(*fixed):
        rows = [row(i // 2, i % 2, value) for i, value in enumerate(fixed)]
        return runs.result.summarize(tiny(seeds=(0, 1)), rows)

    whole = result(0.3, 0.2, 0.1, 0.4)
    assert whole['undefined'] == []
    assert whole['steps']['fixed_validator'] == [0, 1]
    for fixed in ((0.1, 0.2, nan, nan), (0.1, 0.2, 0.3, nan)):
        some = result(*fixed)
        assert some['undefined'] == ['fixed_validator']
        assert 'fixed_validator' not in some['steps'] | some['scores']
        assert selection.FIXED not in some['validators']
        assert set(some['scores']) == {'last', 'source_validation', 'oracle'}


def test_a_history_from_before_a_validator_has_a_result_without_it(tiny):
    new = {name: 0.5 for name in (*selection.VALIDATORS, *selection.DIAGNOSTICS)}
    old = {name: new[name] for name in ('source_validation', selection.FIXED)}

    def result(*scores):
        rows = [
            {
                'seed': 0,
                'stage': 'adapt',
                'step': i,
                'target_test': i / 10,
                'target_test_images': 8,
                **row,
            }
            for i, row in enumerate(scores, 1)
        ]
        return runs.result.summarize(tiny(), rows)

    before, mixed, after = result(old, old), result(old, new), result(new, new)
    assert before['validators'].keys() == mixed['validators'].keys() == old.keys()
    assert before['diagnostics'] == {} and mixed['diagnostics']
    assert after['validators'].keys() == selection.VALIDATORS.keys()
    assert before['scores'] == after['scores']
    assert after['validators']['snd']['target_test']['values'] == [
        0.2
    ]  # ties go to the later row


def test_all_seeds_of_a_run_share_one_compiled_step(tiny, tmp_path):
    traces = []

    def count(method):
        def step(state, batch, key):
            traces.append(sorted(state.params))
            return method.step(state, batch, key)

        return method._replace(step=step)

    experiment = _stages(tiny(seeds=(0, 1)), count)
    runs.run(experiment, tmp_path)
    stages = [['classifier', 'encoder'], ['discriminator', 'encoder']]
    assert traces == stages
    one, two = _states(experiment, tmp_path)
    assert checkpoint.digest(one.params) != checkpoint.digest(two.params)


def test_evaluations_compile_once_for_all_seeds(tiny, tmp_path):
    traces = []

    def count(method):
        def predict(state, batch):
            traces.append(tuple(batch))
            return method.predict(state, batch)

        return method._replace(predict=predict)

    runs.run(_stages(tiny(seeds=(0, 1)), count), tmp_path)
    # Each stage: answers for both parts that validators see, and for the test. Mixed
    # images pass through the program of the unmixed ones.
    assert len(traces) <= 2 * 3


def test_a_finished_run_is_not_run_again(tiny, tmp_path):
    experiment = tiny()
    first = runs.run(experiment, tmp_path)

    def refuse(method):
        def step(state, batch, key):
            pytest.fail('trained again')

        return method._replace(step=step)

    assert runs.run(_stages(experiment, refuse), tmp_path) == first


def test_the_second_stage_starts_from_the_first(tiny, reference, straight, same_bits):
    experiment = tiny()
    first = experiment._replace(stages=experiment.stages[:1])
    data = experiment.data(0, None)
    trained = runs.restore(first, straight, 0, data)
    same_bits(reference.extra['params'], trained.params)


@pytest.mark.parametrize('number, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize('stage', ['source', 'adapt'])
def test_a_signal_saves_and_the_same_command_goes_on(
    tiny, tmp_path, reference, same_bits, capsys, number, code, stage
):
    ask = _disturbed(tiny(), stage, 2, lambda batch: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as stop, cli.errors(False):
        runs.run(ask, tmp_path)
    assert stop.value.code == code
    assert 'start the same command again to go on' in capsys.readouterr().err
    assert not (tmp_path / 'result.json').exists()
    assert signal.getsignal(number) is not None
    name = f'{[s.name for s in ask.stages].index(stage)}_{stage}'
    saved = list((tmp_path / 'checkpoints' / 'seed_0' / name).iterdir())
    assert any(path.name in ('3', '4', '5') for path in saved)  # saved where it stopped
    runs.run(tiny(), tmp_path)
    same_bits(runs.restore(tiny(), tmp_path, 0, tiny().data(0, None)), reference)


def test_a_crash_is_made_up_for(
    tiny, tmp_path, straight, reference, same_bits, monkeypatch
):
    """As after SIGKILL: rows behind the last checkpoint are not there twice."""
    save = checkpoint.save

    class Killed(Exception):
        pass

    def die(folder, state, step, **options):
        if folder.name == '1_adapt' and step == 4:
            raise Killed  # its rows are written, its checkpoint is not
        save(folder, state, step, **options)

    monkeypatch.setattr(checkpoint, 'save', die)
    with pytest.raises(Killed):
        runs.run(tiny(), tmp_path)
    monkeypatch.undo()
    runs.run(tiny(), tmp_path)
    same_bits(runs.restore(tiny(), tmp_path, 0, tiny().data(0, None)), reference)
    for name in ('history.jsonl', 'metrics.jsonl'):
        assert (tmp_path / name).read_text() == (straight / name).read_text()
    ours, theirs = (
        json.loads((run_dir / 'result.json').read_text())
        for run_dir in (tmp_path, straight)
    )
    assert ours['scores'] == theirs['scores']


@pytest.mark.parametrize(
    'rule, step', [('source_validation', 4), ('fixed_validator', 6), ('last', 6)]
)
def test_a_crash_before_a_model_is_written_is_made_up_for(
    tiny, tmp_path, monkeypatch, rule, step
):
    """The evaluation before the crash is the best: its model is there after it."""

    class Killed(Exception):
        pass

    def experiment():
        scores = iter({4: [0.0, 1.0, 0.5], 6: [0.0, 0.5, 1.0]}[step])

        def score(predicts, held_out, final):
            names = ('source_validation', selection.FIXED, 'target_test')
            return dict.fromkeys(names, next(scores)) | {'target_test_images': 8}

        return tiny(measure=score, stages=tiny().stages[:1])

    def die(path, about, picked):
        if (picked.rule, picked.step) == (rule, step):
            path.with_name(f'{rule}.part').mkdir()  # as a crash leaves it
            raise Killed
        write(path, about, picked)

    write, killed = runs.model_folder.write, experiment()
    monkeypatch.setattr(runs.model_folder, 'write', die)
    with pytest.raises(Killed):
        runs.run(killed, tmp_path / 'killed')
    monkeypatch.undo()
    runs.run(killed, tmp_path / 'killed')
    runs.run(experiment(), tmp_path / 'straight')
    ours, theirs = (_files(tmp_path / name) for name in ('killed', 'straight'))
    assert ours == theirs and len(theirs) == 6
    for content in (json.loads(ours[name]) for name in ours if 'json' in name):
        assert content['step'] == (6 if content['rule'] == 'last' else step)


def test_the_model_of_a_rule_without_its_number_is_removed_after_a_crash(
    tiny, tmp_path
):
    def score(predicts, held_out, final):
        names = ('source_validation', selection.FIXED, 'target_test')
        numbers = dict.fromkeys(names, 0.5) | {'target_test_images': 8}
        return numbers | ({selection.FIXED: float('nan')} if final else {})

    experiment = tiny(measure=score, stages=tiny().stages[:1])
    runs.run(experiment, tmp_path)
    models = tmp_path / 'models' / 'seed_0'
    assert {path.name for path in models.iterdir()} == {'last', 'source_validation'}
    shutil.copytree(models / 'last', models / 'fixed_validator')  # an earlier choice
    runs.run(experiment, tmp_path)
    assert {path.name for path in models.iterdir()} == {'last', 'source_validation'}


def _files(run_dir):
    """{name: bytes} of the models of a run."""
    paths = sorted((run_dir / 'models').rglob('*'))
    return {
        str(path.relative_to(run_dir)): path.read_bytes()
        for path in paths
        if path.is_file() or path.suffix == '.part'
    }


def _spoil(batch):
    image = np.full_like(batch['source']['image'], np.nan)
    return {**batch, 'source': {**batch['source'], 'image': image}}


@pytest.mark.parametrize(
    'stage, phase', [('source', 'train'), ('adapt', 'discriminator')]
)
def test_a_loss_that_is_no_number_stops_the_run(tiny, tmp_path, stage, phase):
    broken = _disturbed(tiny(), stage, 4, _spoil)  # the batch of step 5
    message = f"phase '{phase}' is nan at step 5 of stage '{stage}', seed 0"
    with pytest.raises(runs.NonFiniteError, match=message):
        runs.run(broken, tmp_path)
    i = [found.name for found in broken.stages].index(stage)
    saved = tmp_path / 'checkpoints' / 'seed_0' / f'{i}_{stage}'
    assert sorted(p.name for p in saved.iterdir() if p.name.isdigit()) == ['2', '4']
    assert not (tmp_path / 'result.json').exists()


def test_parameters_that_are_no_numbers_are_never_saved(tiny, tmp_path):
    """An update may overflow in the very step whose loss was still finite."""
    experiment = tiny(stages=tiny().stages[:1])

    def explode(method):
        def step(state, batch, key):
            state, metrics = method.step(state, batch, key)
            bad = jnp.where(state.step == 4, jnp.inf, 0.0)
            spoilt = jax.tree.map(lambda x: x + bad, state.params['classifier'])
            params = {**state.params, 'classifier': spoilt}
            return state.replace(params=params), metrics

        return method._replace(step=step)

    with pytest.raises(runs.NonFiniteError, match='step 4 .*seed 0'):
        runs.run(_stages(experiment, explode), tmp_path)
    saved = tmp_path / 'checkpoints' / 'seed_0' / '0_source'
    assert sorted(p.name for p in saved.iterdir() if p.name.isdigit()) == ['2']
    rows = (tmp_path / 'history.jsonl').read_text().splitlines()
    assert [json.loads(row)['step'] for row in rows] == [2]


def test_a_full_disk_ends_the_run_with_a_clear_error(tiny, tmp_path, monkeypatch):
    save = checkpoint.save

    def full(folder, state, step, **options):
        if step == 4:
            raise checkpoint.CheckpointError('cannot write checkpoint 4: disk full')
        save(folder, state, step, **options)

    monkeypatch.setattr(checkpoint, 'save', full)
    with pytest.raises(SystemExit) as stop, cli.errors(False):
        runs.run(tiny(), tmp_path)
    assert stop.value.code == 1
    monkeypatch.undo()
    runs.run(tiny(), tmp_path)  # with room again, it goes on


def test_restore_refuses_a_seed_that_has_not_run(tiny, tmp_path):
    experiment = tiny()
    with pytest.raises(ValueError, match='seed 0 .* has not run to its end'):
        runs.restore(experiment, tmp_path, 0, experiment.data(0, None))


def test_the_first_stage_starts_from_what_was_trained_before(tiny, tmp_path, same_bits):
    """As if it were the state of a stage before it, also when it is restored."""
    whole = tiny()
    pair = whole.data(0, None)
    first = whole.stages[0]
    trained = first.method.init(jax.random.key(9), first.stream(pair, None)[0])

    def start(fresh, previous):
        return fresh.replace(params=previous.params)

    experiment = whole._replace(
        before=lambda pair: trained,
        stages=(first._replace(start=start),),
        measure=runs.measure_adaptation,
    )
    runs.run(experiment, tmp_path)
    begun = runs.restore(experiment, tmp_path, 0, pair, stages=0)
    same_bits(begun.params, trained.params)
    straight = fit(
        first.method,
        begun,
        first.stream(pair, None),
        key=jax.random.fold_in(jax.random.key(0), 0),
        steps=first.steps,
    )
    ended = runs.restore(experiment, tmp_path, 0, pair)
    same_bits(ended.params, straight.params)
