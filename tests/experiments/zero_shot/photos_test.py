"""Photographs by name: the ImageNet classes taken out, statistics of a target."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from experiments.zero_shot import classifier, photos, subtrees
from transfer_jax import models


def test_imagenet_has_its_classes_in_order():
    known = subtrees.imagenet()
    assert len(known.wnids) == len(set(known.wnids)) == 1000
    assert list(known.wnids) == sorted(known.wnids)
    assert (known.names[0], known.names[999]) == ('tench', 'toilet_tissue')


def test_the_subtree_of_a_class_does_not_vote():
    names = np.array(subtrees.imagenet().names)
    dogs = names[subtrees.taken_out(['dog'])]
    assert len(dogs) == 118 and {'Chihuahua', 'dalmatian'} <= set(dogs)
    assert 'timber_wolf' not in dogs
    taken = set(names[subtrees.taken_out(['Elephant', 'giraffe', 'guitar'])])
    assert taken == {
        *('Indian_elephant', 'African_elephant', 'tusker'),
        *('acoustic_guitar', 'electric_guitar'),
    }
    cars = names[subtrees.taken_out(['car_side'])]
    assert len(cars) == 10 and 'sports_car' in cars


def test_a_class_without_a_subtree_is_looked_up_by_its_words():
    names = np.array(subtrees.imagenet().names)
    assert not subtrees.taken_out(['polar bear']).any()  # it is called ice bear
    assert set(names[subtrees.taken_out(['umbrella'])]) == {'umbrella'}
    assert 'sleeping_bag' in names[subtrees.taken_out(['bag'])]


def test_every_id_of_the_table_is_a_class():
    ids = set(subtrees.imagenet().wnids)
    for entries in (*subtrees.BELOW.values(), *subtrees.ALSO.values()):
        for entry in entries:
            assert {entry} <= ids if isinstance(entry, str) else set(entry) <= ids
    assert subtrees.words_of('Leopards') == 'leopard'
    assert subtrees.words_of('grand_piano') == 'grand piano'


def test_target_statistics_are_those_of_the_images():
    """Of one layer: the mean and the variance over all images, to the digit."""

    class Layer(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return models.BatchNorm(name='norm')(x, train=train), {}

    rng = np.random.default_rng(0)
    images = rng.normal(3, 2, (60, 2, 2, 1)).astype(np.float32)
    module = Layer()
    variables = module.init(jax.random.key(0), images, train=False)
    found = classifier.with_statistics(module, variables, lambda r: images[r], 60)
    used = images[np.random.default_rng(0).permutation(60)[: classifier.BATCH]]
    mean, variance = (
        np.asarray(found['batch_stats']['norm'][key]).item()
        for key in ('mean', 'variance')
    )
    np.testing.assert_allclose([mean, variance], [used.mean(), used.var()], rtol=1e-5)


def test_a_network_that_is_no_imagenet_classifier_is_refused():
    with pytest.raises(
        ValueError, match='resnet20_cifar is no classifier of the 1,000'
    ):
        photos.build(photos.Config(networks='resnet20_cifar'))
    with pytest.raises(ValueError, match="no backbone 'x'"):
        photos.build(photos.Config(networks='x'))
