"""Every method on photographs of any domain, with a bottleneck and frozen layers."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.adaptation import aligned_digits, office31, photos
from experiments.tasks import photo_pairs
from tests.experiments.adaptation.photos_test import write
from transfer_jax import models, recipes, training
from transfer_jax.recipes import encoders

NORMS = ('source_norm', 'adabn', 'autodial', 'dsbn')


def _steps(config):
    """(states after each stage, the pair), a step each, from the pretrained encoder."""
    experiment = photos.build(config)
    pair = experiment.data(0, None)
    states = [experiment.before(pair)]
    for stage in experiment.stages:
        stream = stage.stream(pair, states[-1])
        fresh = jax.jit(stage.method.init)(jax.random.key(0), stream[0])
        first = stage.start(fresh, states[-1])
        key = jax.random.key(1)
        states.append(training.fit(stage.method, first, stream, key=key, steps=1))
    return states, pair


def _config(method, **fields):
    small = {'steps': 1, 'evaluations': 1, 'seeds': 1, 'batch': 8, 'rate': 1e-3}
    return dataclasses.replace(photos.fast(), method=method, **small, **fields)


@pytest.mark.slow
@pytest.mark.parametrize('method', [x for x in photos.ALL if x not in NORMS])
def test_every_method_takes_a_step(method):
    states, _ = _steps(_config(method, bottleneck=8, optimiser='sgd'))
    for leaf in jax.tree.leaves(states[-1].params):
        assert np.isfinite(leaf).all()


def test_a_frozen_layer_stays_and_the_bottleneck_learns(same_bits):
    states, pair = _steps(_config('source_only', bottleneck=8, frozen='conv_2'))
    first, last = (state.params['encoder'] for state in states)
    for layer in ('conv_1', 'conv_2'):
        same_bits(first[layer], pair.encoder.params[layer])
        same_bits(last[layer], first[layer])
    for layer in ('conv_3', 'bottleneck'):
        leaves = [jax.tree.leaves(part[layer])[0] for part in (first, last)]
        assert (leaves[0] != leaves[1]).any()
    assert first['bottleneck']['kernel'].shape == (128, 8)


def test_norms_of_two_domains_start_as_copies_of_the_pretrained():
    """A ResNet for small images, with drawn weights, stands for ResNet-50."""
    module = models.CifarResNet(depth=8, classes=0)
    image = np.zeros((1, 32, 32, 3), np.float32)
    drawn = jax.device_get(module.init(jax.random.key(0), image, train=False))
    half = np.full(3, 0.5, np.float32)
    state = {'batch_stats': drawn['batch_stats']}
    encoder = encoders.Encoder(drawn['params'], state, half, half)
    for norm in ('dsbn', 'autodial'):
        own = module.clone(norm=photos.networks.NORMS[norm])
        filled = photo_pairs.filled(encoder, models.Bottleneck(own, 4), 32, 0)
        variables = {'params': filled.params, **filled.model_state}
        domain = np.zeros(1, np.int32)
        x, taps = models.Bottleneck(own, 4).apply(
            variables, image + 0.3, train=False, domain=domain
        )
        expected, _ = module.apply(drawn, image + 0.3, train=False)
        features = list(taps.values())[-2]
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
        assert x.shape == (1, 4)


def test_the_classes_of_any_domain_are_counted_or_given(tmp_path):
    spec = write(tmp_path / 'set', 0)
    assert photo_pairs.classes_of(spec) == 3
    assert photo_pairs.classes_of('gtsrb', 43) == 43
    with pytest.raises(ValueError, match='gtsrb.*given by --config.classes'):
        photo_pairs.classes_of('gtsrb')
    with pytest.raises(ValueError, match="no domain 'nothing'"):
        photo_pairs.classes_of('nothing')


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'method': 'train_on_target'}, "no method 'train_on_target'.*cdan_e"),
        ({'method': 'adabn'}, 'tiny has no norm layers'),
        ({'frozen': 'conv_9'}, "no layer 'conv_9'; choose from conv_1"),
        ({'optimiser': 'lion'}, "no optimiser 'lion'; choose from adam, sgd"),
        ({'target': 'nothing'}, "no domain 'nothing'"),
    ],
)
def test_what_cannot_be_trained_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        photos.build(dataclasses.replace(photos.fast(), **changes))


def test_office31_has_six_pairs_and_all_methods():
    assert len(office31.PAIRS) == 6 and 'dslr_to_webcam' in office31.PAIRS
    assert set(photos.ALL) == {*recipes.RECIPES, photos.LABELLED} - {'train_on_target'}
    with pytest.raises(ValueError, match="no pair 'amazon_to_caltech'"):
        office31.build(office31.Config(pair='amazon_to_caltech'))


def test_alignment_sees_no_target_label():
    study = aligned_digits.build(aligned_digits.fast())
    prepared = study.prepare(None)
    made = prepared(0)
    assert not hasattr(made.features.target, 'label')
    assert made.features.source.x.shape == (64, 100)  # of Ganin's network for MNIST
    rows = {t['method']: study.measure(prepared, t) for t in study.trials}
    assert set(rows) == set(aligned_digits.METHODS)
    assert all(0 <= row['accuracy'] <= 1 for row in rows.values())


def test_pixels_are_aligned_without_a_network():
    config = dataclasses.replace(aligned_digits.fast(), features='pixels')
    study = aligned_digits.build(config)
    assert [t['method'] for t in study.trials] == ['none', 'subspace_alignment']
    made = study.prepare(None)(0)
    assert made.features.source.x.max() <= 1 and not made.network
