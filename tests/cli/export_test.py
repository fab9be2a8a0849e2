"""An exported model runs in a process that imports JAX and NumPy alone."""

import dataclasses
import functools
import importlib.util
import json
import subprocess
import sys

import jax
import numpy as np
import pytest

from tests import command_lines
from transfer_jax import methods, models, runs
from transfer_jax.cli import export
from transfer_jax.runs import model_folder
from transfer_jax.training import optim

INPUTS = runs.Inputs((16, 16), 3, (0.4, 0.5, 0.6), (0.5, 0.5, 0.5))

READER = """
import sys
import jax, jax.export
import numpy as np

with open('model.jax_export', 'rb') as file:
    program = jax.export.deserialize(bytearray(file.read()))
images = np.load('images.npy')
np.savez('answers.npz', one=program.call(images[:1]), seven=program.call(images[:7]))
assert 'transfer_jax' not in sys.modules and 'flax' not in sys.modules
"""


@dataclasses.dataclass(frozen=True)
class Config:
    """Of the model."""

    classes: int = 4


def build(config):
    """Convolutions, pooling, and batch norm with separate statistics."""
    method = methods.supervised(
        models.SmallNet(norm=functools.partial(models.BatchNorm, domains=2)),
        models.Classifier(config.classes, (8,)),
        txs=optim.sgd(optim.constant(0.1)),
    )
    return runs.Experiment(
        name='tests.export',
        config=config,
        method='source_only',
        task='noise',
        seeds=(0,),
        data=lambda seed, data_dir: None,
        held_out=lambda data: None,
        stages=(runs.Stage('train', 1, method, lambda data, previous: None),),
        classes=lambda data: tuple('abcd'),
        inputs=lambda data: INPUTS,
    )


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    """The folder of a model of random weights."""
    experiment = build(Config())
    method = experiment.stages[-1].method
    image = np.random.default_rng(1).normal(size=(4, 16, 16, 3)).astype(np.float32)
    batch = {'source': {'image': image, 'label': np.zeros(4, np.int32)}}
    state = jax.jit(method.init)(jax.random.key(0), batch)
    about = model_folder.about(experiment, 0, None)
    path = tmp_path_factory.mktemp('models') / 'last'
    model_folder.write(path, about, model_folder.Picked('last', 1, method, state))
    return path


call = functools.partial(command_lines.call, export.main)


def test_a_program_gives_the_models_probabilities_without_the_package(
    path, tmp_path, capsys
):
    out = tmp_path / 'model.jax_export'
    code, _, err = call(capsys, path, '--out', out, '--rule', 'last')
    assert code == 0 and 'model of rule last (seed 0, step 1)' in err
    images = np.random.default_rng(0).integers(256, size=(7, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / 'images.npy', images)
    reader = subprocess.run(
        [sys.executable, '-c', READER],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert reader.returncode == 0, reader.stderr
    expected = runs.load_model(path).probabilities(images)
    assert np.ptp(expected, axis=0).max() > 1e-3
    with np.load(tmp_path / 'answers.npz') as answers:
        assert answers['seven'].dtype == np.float32
        np.testing.assert_allclose(answers['one'], expected[:1], atol=1e-5)
        np.testing.assert_allclose(answers['seven'], expected, atol=1e-5)
    content = json.loads((tmp_path / 'model.jax_export.json').read_text())
    assert content['classes'] == list('abcd')
    assert content['input']['shape'] == ['batch', 16, 16, 3]
    assert content['input']['resize'].startswith('stretch to 16 x 16 pixels')
    assert content['output']['shape'] == ['batch', 4]
    assert content['platforms'] == ['cpu', 'cuda', 'tpu']
    assert content['traced_on'] == 'cpu'


def test_a_crop_is_described(path):
    model = runs.load_model(path)
    inputs = model.inputs._replace(size=(224, 224), zoom=256 / 224)
    content = export.describe(model._replace(inputs=inputs), export.export(model))
    assert 'shorter side to 256 pixels' in content['input']['resize']
    assert content['input']['resize'].endswith('the middle 224 x 224')


def test_what_is_missing_is_one_line(path, tmp_path, capsys, monkeypatch):
    code, _, err = call(capsys, path, '--out', tmp_path / 'none' / 'model')
    assert code == 2 and 'cannot write' in err and len(err.splitlines()) == 1
    code, _, err = call(capsys, tmp_path, '--out', tmp_path / 'model')
    assert code == 2 and 'holds no trained model' in err
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name: None if name == 'flatbuffers' else find(name),
    )
    code, _, err = call(capsys, path, '--out', tmp_path / 'model')
    assert code == 2 and 'pip install flatbuffers' in err and len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
