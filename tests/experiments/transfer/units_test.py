"""Units of any network: receptive fields that are found by experiment."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from experiments.transfer import units as experiment
from tests.experiments.transfer.any_data_test import photographs
from transfer_jax.evaluation import units
from transfer_jax.recipes import backbones


def test_receptive_fields_are_those_of_the_windows():
    """SqueezeNet's, whose table was worked out from its windows and strides."""
    names = ('conv1', 'fire2', 'fire3', 'fire4')
    module = backbones.get('squeezenet').module(classes=0, end_at=names[-1])
    init = jax.jit(functools.partial(module.init, train=False))
    variables = init(jax.random.key(0), np.zeros((1, 80, 80, 3)))

    def taps(x):
        by_layer = module.apply(variables, x, train=False)[1]
        return {name: by_layer[name] for name in names}

    found = units.receptive_fields(taps, 80)
    assert found == {name: experiment.FIELDS[name] for name in names}


def test_a_layer_that_sees_everything_has_the_field_of_the_image():
    def taps(x):
        return {'all': x.mean((1, 2), keepdims=True) + 0 * x[:, ::4, ::4]}

    field = units.receptive_fields(taps, 16)['all']
    assert (field.size, field.stride) == (16, 4)


@pytest.mark.slow
def test_units_of_alexnet_on_a_folder(tmp_path):
    spec = photographs(tmp_path / 'set', classes=2, each=4)
    config = experiment.Config(
        spec, 64, units=4, shown=1, images=2, pretrained=False, network='alexnet'
    )
    assert experiment.layers_of(config) == tuple(f'conv{i}' for i in range(1, 6))
    config = dataclasses.replace(config, layers=('conv1', 'conv3'))
    study = experiment.build(config)
    assert study.task == 'alexnet on set, 2 images of each unit'
    prepared = study.prepare(None)
    assert prepared.fields['conv1'] == units.ReceptiveField(11, 4, -2)
    assert 0 <= study.measure(prepared, study.trials[-1])['agreement'] <= 1
    assert set(study.pictures(prepared)) == {'conv1', 'conv3'}


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'network': 'alexnot'}, "no backbone 'alexnot'"),
        ({'network': 'alexnet', 'layers': ('fc6',)}, "no layer 'fc6'.*conv1"),
        ({'domain': 'nothing'}, "no domain 'nothing'"),
    ],
)
def test_unknown_names_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        experiment.build(experiment.Config(**changes))
