"""A model's folder: weights by name, exact for every method, clear where wrong."""

import dataclasses
import errno
import json
import shutil

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.methods.cases import CASES
from transfer_jax import evaluation, runs
from transfer_jax.runs import model_folder, weights
from transfer_jax.training import TrainState, optim

INPUTS = runs.Inputs((8, 8), 3, (0.5,) * 3, (1.0,) * 3)


def test_every_kind_of_leaf_and_container_comes_back(tmp_path, same_bits):
    rng = np.random.default_rng(0)
    tree = {
        'params': {
            'net': {
                'kernel': rng.normal(size=(3, 4))
                .astype(np.float32)
                .T,  # not contiguous
                'half': np.asarray(jnp.arange(5, dtype=jnp.bfloat16)),
                'a/b~1': np.ones((2, 0), np.float32),
            },
            'scale': np.array(3.5, np.float32),
            'flag': np.array(True),
            'pair': (np.int32(1), [np.arange(3), {}, ()], None),
        },
        'model_state': {'net': {}, 'none': (), 'list': []},
    }
    weights.write(tmp_path / 'x.safetensors', tree)
    again = weights.read(tmp_path / 'x.safetensors')
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    same_bits(again, tree)
    with weights.safetensors.safe_open(tmp_path / 'x.safetensors', 'np') as file:
        assert {'params/net/half', 'params/net/a~1b~01'} <= set(file.keys())


def test_a_frozen_dict_comes_back_as_a_dict(tmp_path, same_bits):
    weights.write(tmp_path / 'x', flax.core.freeze({'a': {'b': np.ones(2)}}))
    same_bits(weights.read(tmp_path / 'x'), {'a': {'b': np.ones(2)}})


@pytest.mark.parametrize(
    'tree, message',
    [
        ({'a': {1: np.ones(1)}}, 'a: the key 1 cannot'),
        ({'a': {'': np.ones(1)}}, "a: the key '' cannot"),
        ({'a': {'b': 1.0}}, 'a/b: a float cannot'),
        ({'a': INPUTS}, 'a: a Inputs cannot'),
        ({'a': jax.random.key(0)}, 'a: an array of key'),
        ({'a': np.ones(1, np.complex128)}, 'a: an array of complex128'),
    ],
    ids=['number', 'empty', 'float', 'named tuple', 'key', 'complex'],
)
def test_what_cannot_be_saved_is_named(tmp_path, tree, message):
    with pytest.raises(ValueError, match=message):
        weights.write(tmp_path / 'x', tree)


def test_a_damaged_file_is_a_clear_error(tmp_path):
    for content in (b'', b'not one', b'\x08' + bytes(7) + b'{"a": 1}'):
        (tmp_path / 'x').write_bytes(content)
        with pytest.raises(ValueError, match='x: cannot be read'):
            weights.read(tmp_path / 'x')


@pytest.mark.parametrize('name', CASES)
def test_every_method_predicts_the_same_bits_after_loading(
    name, networks, batch, tmp_path, same_bits
):
    method = CASES[name].make(*networks(), optim.sgd(optim.constant(0.05)))
    state = jax.jit(method.init)(jax.random.key(0), batch())
    image = batch()['target']['image']
    about = {'inputs': INPUTS._asdict()}
    path = tmp_path / 'model'
    model_folder.write(path, about, model_folder.Picked('last', 3, method, state))
    loaded = model_folder.read_state(
        path, json.loads((path / 'model.json').read_text())
    )
    same_bits(loaded.params, jax.device_get(state.params))
    same_bits(loaded.model_state, jax.device_get(state.model_state))
    assert int(loaded.step) == 3 and loaded.opt_state == ()
    # ADDA's prediction takes the classifier from what it keeps of the source.
    assert (loaded.extra != ()) == (name == 'adda')
    predict = jax.jit(lambda predict, batch: predict(batch))
    before, after = (
        predict(evaluation.bind(method, one, 'target'), {'image': image})
        for one in (state, loaded)
    )
    same_bits(before, after)


@dataclasses.dataclass(frozen=True)
class Config:
    """Of the tiny run; `build` of this module makes its experiment."""

    steps: int = 6


@pytest.fixture
def experiment(tiny, monkeypatch):
    """An experiment that this module builds, as a module of experiments does."""
    made = tiny(
        Config(), inputs=lambda data: INPUTS, classes=lambda data: ('a', 'b', 'c', 'd')
    )
    monkeypatch.setitem(globals(), 'build', lambda config: made)
    return made


@pytest.fixture
def written(experiment, batch, tmp_path):
    """make(rule, seed, step) -> the folder of a model of a run in tmp_path / 'run'."""
    stage = experiment.stages[-1]
    state = jax.jit(stage.method.init)(jax.random.key(0), batch())

    def make(rule='last', seed=0, step=6):
        about = model_folder.about(experiment, seed, None)
        path = model_folder.rule_dir(tmp_path / 'run', seed, rule)
        picked = model_folder.Picked(rule, step, stage.method, state)
        model_folder.write(path, about, picked)
        return path

    return make


def test_a_run_gives_the_model_that_is_asked_for(written, tmp_path):
    written(), written(seed=1), written('source_validation', step=2)
    run_dir = tmp_path / 'run'

    def found(*given):
        model = runs.load_model(run_dir, *given)
        return model.rule, model.seed, model.step

    assert found() == ('last', 0, 6)
    assert found('', 1) == ('last', 1, 6)
    assert found('source_validation') == ('source_validation', 0, 2)
    written('fixed_validator', step=4)
    assert found() == ('fixed_validator', 0, 4)
    for given, message in {
        ('oracle',): "no rule 'oracle'; choose from last, source_validation, fixed",
        ('source_validation', 1): "no model of rule 'source_validation', seed 1: train",
        ('', 2): 'no seed 2; choose from 0, 1',
    }.items():
        with pytest.raises(ValueError, match=message):
            runs.load_model(run_dir, *given)


def test_a_model_alone_is_what_it_says(written, tmp_path):
    path = shutil.copytree(written(seed=3), tmp_path / 'alone')
    for given in ((), ('last',), ('', 3), ('last', 3)):
        model = runs.load_model(path, *given)
        assert (model.rule, model.seed, model.step) == ('last', 3, 6)
    assert (model.method, model.task) == ('adda', 'blobs')
    assert (model.classes, model.inputs) == (('a', 'b', 'c', 'd'), INPUTS)
    image = np.zeros((2, 8, 8, 3), np.uint8)
    assert model.probabilities(image).shape == (2, 4)
    assert model.features(image).shape == (2, 36)
    for given, message in {
        ('source_validation',): "is the model of rule 'last', not 'source_validation'",
        ('', 0): 'is the model of seed 3, not 0: leave seed out',
    }.items():
        with pytest.raises(ValueError, match=message):
            runs.load_model(path, *given)


def test_a_model_that_is_not_whole_is_refused(written, tmp_path):
    path = written()
    content = json.loads((path / 'model.json').read_text())
    data = bytearray((path / 'weights.safetensors').read_bytes())
    data[-1] ^= 1
    (path / 'weights.safetensors').write_bytes(data)
    with pytest.raises(ValueError, match='is damaged, or of another model'):
        runs.load_model(path)
    (path / 'model.json').write_text(json.dumps({**content, 'format': 1}))
    with pytest.raises(ValueError, match='has format 1, not 2'):
        runs.load_model(path)
    (path / 'weights.safetensors').unlink()
    (path / 'model.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='without weights.safetensors: copy'):
        runs.load_model(path)
    with pytest.raises(ValueError, match='holds no trained model'):
        runs.load_model(tmp_path)


def test_a_model_without_inputs_keeps_its_weights(experiment, batch, tmp_path):
    method = experiment.stages[-1].method
    state = jax.jit(method.init)(jax.random.key(0), batch())
    about = model_folder.about(experiment._replace(inputs=None), 0, None)
    picked = model_folder.Picked('last', 6, method, state)
    model_folder.write(tmp_path / 'model', about, picked)
    with pytest.raises(ValueError, match='does not say how an image becomes'):
        runs.load_model(tmp_path / 'model')
    tree = weights.read(tmp_path / 'model' / 'weights.safetensors')
    assert set(tree) == {'params', 'model_state', 'extra'}


def test_a_model_that_cannot_be_written_is_a_clear_error(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('in the way')
    state = TrainState(jnp.int32(0), {'net': {'w': jnp.ones(1)}}, {}, ())
    picked = model_folder.Picked('last', 0, None, state)
    with pytest.raises(runs.FolderError, match='cannot write model .*directory$'):
        model_folder.write(tmp_path / 'file' / 'last', {'inputs': None}, picked)

    def full(*arguments):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(model_folder.weights, 'write', full)
    with pytest.raises(runs.FolderError, match='No space left on device; make room'):
        model_folder.write(tmp_path / 'last', {'inputs': None}, picked)
