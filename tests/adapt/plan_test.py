"""What is chosen from the numbers of images."""

import dataclasses

import pytest

from transfer_jax import recipes
from transfer_jax.adapt import experiment, plan
from transfer_jax.recipes import encoders


def resolve(source, target, classes=5, **fields):
    fields = {'backbone': encoders.TINY, **fields}
    counts = plan.Counts(source, target, classes)
    return plan.resolve(experiment.Config(**fields), counts)


@pytest.mark.parametrize(
    ('source', 'target', 'batch', 'steps'),
    [
        (3, 1, 2, 200),  # 20 epochs of 2 batches are 40
        (3, 3, 2, 200),
        (30, 30, 15, 200),  # 20 epochs of 2 batches
        (1_000, 30, 15, 1_340),  # of 67
        (1_000, 1_000, 32, 640),  # of 32
        (20_000, 1_000, 32, 2_000),
        (20_000, 20_000, 32, 2_000),
    ],
)
def test_steps_and_batches_follow_the_numbers(source, target, batch, steps):
    config = resolve(source, target)
    assert (config.batch, config.steps) == (batch, steps)


def test_what_is_asked_for_is_kept():
    asked = {'steps': 7, 'batch': 5, 'size': 40, 'weight': 0.0, 'encoder_rate': 0.3}
    config = resolve(100, 100, **asked)
    assert {name: getattr(config, name) for name in asked} == asked


def test_the_weight_is_the_chosen_or_the_published_one():
    assert resolve(100, 100).weight == experiment.DEFAULT_WEIGHT
    assert resolve(100, 100, method='ddc').weight == 0.25
    assert resolve(100, 100, method='source_only').weight is None
    # K / 2 for K classes: a mean over the classes in place of their sum
    assert resolve(100, 100, classes=4, method='mada').weight == 2.0
    assert recipes.get('mada').weight_for(10) == recipes.get('mada').weight


def test_the_norm_is_separate_where_there_are_norm_layers():
    small = resolve(100, 100, backbone=encoders.SMALL)
    assert (small.norm, small.domains, small.encoder_rate) == ('separate', 2, 1.0)
    squeezenet = resolve(100, 100, backbone='squeezenet')
    assert (squeezenet.norm, squeezenet.domains) == ('none', 1)
    assert (squeezenet.size, squeezenet.encoder_rate) == (96, 0.1)


def test_without_weights_there_is_a_small_network(tmp_path):
    assert plan.at_hand(str(tmp_path)) == encoders.SMALL
    assert plan.at_hand(str(tmp_path), 33) == encoders.SMALL
    assert plan.at_hand(str(tmp_path), 32) == encoders.SMALL_CONVNET
    (tmp_path / 'weights').mkdir()
    for name in reversed(plan.PREFERRED):
        file = recipes.backbones.get(name).file
        (tmp_path / file).write_bytes(b'')
        assert plan.at_hand(str(tmp_path)) == name


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'method': 'magic'}, "no method 'magic'; choose from source_only, ddc"),
        ({'method': 'dsn'}, "method 'dsn' needs a network of its own"),
        ({'backbone': 'resnet'}, "no backbone 'resnet'; choose from squeezenet"),
        ({'backbone': 'squeezenet', 'norm': 'joint'}, 'squeezenet has no norm layers'),
        ({'norm': 'batch'}, "no norm 'batch'; choose from none, joint"),
        ({'classes': 1}, 'the source has 1 class: a classifier needs two or more'),
    ],
)
def test_what_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        resolve(100, 100, **fields)


def test_source_only_beside_a_method_has_its_batches():
    deep_jdot = resolve(100, 100, method='deep_jdot')
    assert deep_jdot.balanced and not resolve(100, 100).balanced
    assert dataclasses.replace(deep_jdot, method='source_only').balanced
