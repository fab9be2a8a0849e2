"""An experiment of another kind: a generator, with no label, no logits, no target."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from matplotlib.figure import Figure

from transfer_jax import runs, selection, training
from transfer_jax.reports import (
    run_report,
    sweep_entries,
    sweep_figures,
    sweep_report,
    tables,
)
from transfer_jax.runs import grouping, vectorised
from transfer_jax.training import optim

SIZE = 6


@dataclasses.dataclass(frozen=True)
class Config:
    """Of the generator."""

    rate: float = 0.1
    steps: int = 4


class Noise:
    """Batches {'noise': {'image': (8, SIZE)}}, a pure function of the step."""

    def __getitem__(self, t):
        rng = np.random.default_rng(t)
        return {'noise': {'image': rng.normal(size=(8, SIZE)).astype(np.float32)}}


def _method(rate):
    """Images g + noise, g drawn towards 1."""
    txs = {'generator': optim.sgd(optim.constant(rate), momentum=0.0)}

    def init(key, batch):
        del key
        mean = jnp.zeros(batch['noise']['image'].shape[1:])
        return training.state.create({'generator': mean}, {'generator': {}}, txs)

    def loss(state, batch, key):
        del key
        image = state.params['generator'] + 0.1 * batch['noise']['image']
        value = jnp.mean(optax.l2_loss(image, jnp.ones_like(image)))
        return value, training.Aux({'brightness': jnp.mean(image)})

    def predict(state, batch):
        return {
            domain: {'image': state.params['generator'] + 0.1 * part['image']}
            for domain, part in batch.items()
        }

    phase = training.Phase('generate', loss, ('generator',))
    return training.Method(init, training.make_step([phase], txs), predict)


def _measure(predicts, held_out, final):
    (predict,) = predicts.values()
    image = np.asarray(jax.jit(predict)(held_out)['image'])
    return {'distance': float(np.abs(image - 1).mean()), 'final': float(final)}


def _pictures(predicts, held_out):
    assert set(predicts) == {'noise'}
    figure = Figure(figsize=(1, 1))
    figure.subplots().imshow(np.asarray(predicts['noise'](held_out)['image']))
    return {'samples': figure}


def build(config):
    return runs.Experiment(
        name='tests.generator',
        config=config,
        method='generator',
        task='ones',
        seeds=(0, 1),
        data=lambda seed, data_dir: Noise(),
        held_out=lambda noise: {'image': noise[99]['noise']['image']},
        stages=(
            runs.Stage(
                'generate',
                config.steps,
                _method(config.rate),
                lambda noise, previous: noise,
                logged_metrics=('generate/brightness',),
            ),
        ),
        evaluations=2,
        domains=('noise',),
        measure=_measure,
        numbers={'distance': runs.Number('distance to one', in_tables=True)},
        rules={'last': selection.LAST},
        pictures=_pictures,
    )


def test_it_runs_to_a_result_a_report_and_a_table(tmp_path, capsys):
    result = runs.run(build(Config()), tmp_path)
    distances = result['scores']['last']['distance']['values']
    assert len(distances) == 2 and 0 < distances[0] < 1
    assert set(result['scores']) == {'last'} and result['validators'] == {}
    assert 'distance' in capsys.readouterr().err  # the line of an evaluation
    text = tables.text(tables.rows([result]))
    assert 'generator' in text and f'{np.mean(distances):.2f} ± ' in text
    assert 'Distance to one, mean ± standard deviation' in text and '%' not in text
    page = run_report.write(build(Config()), tmp_path).read_text()
    names = {path.stem for path in (tmp_path / 'figures').iterdir()}
    assert names == {
        *('generator_samples', 'curve_distance'),
        *('training_generator_loss', 'training_generator_brightness'),
    }
    assert 'distance to one' in page.lower()


def test_a_resumed_run_ends_with_the_same_bits(tmp_path, same_bits):
    class Stop(Exception):
        pass

    def stop(step, state, metrics):
        if step == 3:
            raise Stop

    straight, stopped = tmp_path / 'straight', tmp_path / 'stopped'
    runs.run(build(Config()), straight)
    with pytest.raises(Stop):
        runs.run(build(Config()), stopped, hooks=[stop])
    runs.run(build(Config()), stopped)
    for seed in (0, 1):
        states = [
            runs.restore(build(Config()), path, seed, Noise())
            for path in (straight, stopped)
        ]
        same_bits(*states)


def test_several_train_as_one_program_and_are_compared(tmp_path):
    configs = [Config(0.1), Config(0.5)]
    experiments = grouping.share(build, configs, ('rate',))
    members = [
        vectorised.Run(experiment, tmp_path / str(i))
        for i, experiment in enumerate(experiments)
    ]
    assert vectorised.run(members) == {}
    one = runs.run(build(Config(0.5)), tmp_path / 'alone')
    other = runs.run(build(Config(0.5)), tmp_path / '1')
    pairs = zip(
        *(r['scores']['last']['distance']['values'] for r in (one, other)), strict=True
    )
    for a, b in pairs:
        assert a == pytest.approx(b, rel=1e-5)
    page = sweep_report.write(members, tmp_path / 'sweep').read_text()
    drawn = sweep_figures.draw(sweep_entries.read(members, False))
    (axes,) = drawn['Learning curves'][1]['distance'].axes
    assert axes.get_ylabel() == '' and axes.lines[0].get_ydata().max() < 2  # not in %
    assert 'Distance to one, mean ± standard deviation over n seeds' in page
    assert 'oracle' not in page and 'validator' not in page
