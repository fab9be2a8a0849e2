"""Trials of the transfer studies: layers copied, labels split, bits repeated."""

import functools

import jax
import numpy as np
import pytest

from experiments.tasks import training_trials
from experiments.transfer import layer_transfer, layer_transfer_data, multi_task
from transfer_jax import data, losses, methods, models
from transfer_jax.training import fit, optim

CONFIG = layer_transfer.fast()
LAYERS = models.LayeredNet.LAYERS


@pytest.fixture(scope='module')
def prepared():
    return layer_transfer.build(CONFIG).prepare(None)


def test_halves_share_no_class_and_number_theirs_anew():
    domain = data.fake.fake_domain(0, 40, 8, classes=5)
    halves = layer_transfer_data.halves(domain, None)
    assert halves['A'].train.classes == ('0', '1')
    assert halves['B'].train.classes == ('2', '3', '4')
    both = sum(len(halves[half].train) for half in 'AB')
    assert both == len(domain.train)
    for half, classes in (('A', [0, 1]), ('B', [2, 3, 4])):
        rows = np.isin(domain.train.label, classes)
        expected = domain.train.label[rows] - classes[0]
        np.testing.assert_array_equal(halves[half].train.label, expected)
        np.testing.assert_array_equal(
            halves[half].train.image, domain.train.image[rows]
        )
    drawn = layer_transfer_data.halves(domain, 3)
    assert not set(drawn['A'].test.classes) & set(drawn['B'].test.classes)
    again = layer_transfer_data.halves(domain, 3)
    assert drawn['A'].train.classes == again['A'].train.classes


def test_a_trial_gives_the_same_numbers_again(prepared):
    study = layer_transfer.build(CONFIG)
    trial = {'method': 'AnB', 'n': 2, 'seed': 0}
    assert study.measure(prepared, trial) == study.measure(
        layer_transfer.build(CONFIG).prepare(None), trial
    )


@pytest.mark.parametrize('copied', [LAYERS[:2], LAYERS[3:]])
def test_copied_layers_are_the_bases_and_stay_where_they_are_frozen(
    prepared, copied, same_bits
):
    half = prepared.halves['B']
    _, source = prepared.base('A', 0)
    method = layer_transfer._method(CONFIG, 2, copied)
    stream = training_trials.labelled(
        half.train, data.normalise(half.mean), batch=8, seed=0
    )
    fresh = jax.jit(method.init)(jax.random.key(5), stream[0])
    first = layer_transfer._start(source, copied, fresh, None)
    last = fit(method, first, stream, key=jax.random.key(0), steps=2)
    for layer in LAYERS:
        trees = [
            (state.params['encoder'], state.model_state['encoder']['batch_stats'])
            for state in (source, fresh, first, last)
        ]
        from_base, drawn, start, end = (
            (params[layer], stats[layer]) for params, stats in trees
        )
        if layer in copied:
            same_bits(start, from_base)
            same_bits(end, start)
            assert (start[0][_kind(layer)]['kernel'] != 0).any()
        else:
            same_bits(start, drawn)
            kernels = [part[0][_kind(layer)]['kernel'] for part in (start, end)]
            assert (kernels[0] != kernels[1]).any()


def _kind(layer):
    return layer.partition('_')[0]


def test_a_copy_that_cannot_be_read_is_refused():
    for copy, message in (('first:6', 'only 5'), ('middle', 'first:K or last:K')):
        with pytest.raises(ValueError, match=message):
            layer_transfer.build(layer_transfer.Config(copy=copy))
    study = layer_transfer.build(layer_transfer.Config(copy='last:2', seeds=1))
    assert {trial['n'] for trial in study.trials} == {0, 2}


def test_each_image_has_its_two_labels_and_half_lose_one():
    config = multi_task.fast()
    prepared = multi_task.prepare(config, None)
    domains = prepared.classes['domain']
    train = prepared.train
    first = data.load('fake', size=config.size).train
    labels = multi_task._split(train.label, domains)
    np.testing.assert_array_equal(labels['object'][: len(first)], first.label)
    assert labels['domain'].tolist() == [0] * len(first) + [1] * len(first)
    half = multi_task._without_domains(train, domains, 0)
    half_labels = multi_task._split(half.label, domains)
    np.testing.assert_array_equal(half_labels['object'], labels['object'])
    unknown = half_labels['domain'] == losses.UNKNOWN
    assert unknown.sum() == len(train) // 2
    np.testing.assert_array_equal(
        half_labels['domain'][~unknown], labels['domain'][~unknown]
    )
    other = multi_task._without_domains(train, domains, 1)
    assert (other.label != half.label).any()


def test_scores_are_over_all_and_over_classes():
    logits = np.eye(3)[[0, 0, 0, 1, 2]]
    label = np.array([0, 0, 1, 1, 1])
    scores = training_trials.score_logits(logits, label, 3)
    assert scores == {'accuracy': 0.6, 'class_accuracy': pytest.approx((1 + 1 / 3) / 2)}


def test_training_starts_from_the_given_parameters(networks, batch, same_bits):
    encoder, classifier, _ = networks()
    no_update = optim.sgd(optim.constant(0.0))
    txs = {'encoder': no_update, 'classifier': no_update}
    method = methods.fine_tuning(encoder, classifier, txs=txs)
    image = batch()['source']['image']
    part = data.Arrays(
        np.zeros(image.shape, np.uint8), batch()['source']['label'], tuple('abcd')
    )
    scale = data.normalise(np.zeros(3))
    stream = training_trials.labelled(part, scale, batch=4, seed=0)
    train = functools.partial(training_trials.train, method, steps=1)
    plain = train(None, stream, seed=0)
    other = train(None, stream, seed=1)
    start = methods.start_from({'encoder': other.params['encoder']})
    started = train(start, stream, seed=0)
    same_bits(started.params['encoder'], other.params['encoder'])
    same_bits(started.params['classifier'], plain.params['classifier'])
