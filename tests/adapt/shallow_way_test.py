"""Shallow methods on frozen features."""

import numpy as np
import pytest

import transfer_jax as tj
from transfer_jax import data
from transfer_jax.adapt import photographs, shallow_way
from transfer_jax.recipes import encoders


@pytest.fixture(scope='module')
def pictures(domains):
    source, target = domains
    training, validation = photographs.hold_out(source.train, 0)
    encoder = encoders.load(encoders.TINY)
    return photographs.Photographs(
        source.classes,
        training,
        validation,
        data.Images(target.train.image),
        target.test,
        encoder,
        0,
    )


@pytest.mark.parametrize('method', shallow_way.METHODS)
def test_a_method_stands_beside_plain_classifiers(pictures, method, tmp_path):
    outcomes = shallow_way.run(pictures, encoders.TINY, method, tmp_path)
    assert [one.side.name for one in outcomes] == [*shallow_way.PLAIN, method]
    for one in outcomes:
        p = one.side.probabilities
        assert p.shape == (1, len(pictures.target), 4)
        np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
        assert 0 <= one.test_accuracy[0] <= 1
        assert 0 <= one.side.a_distance <= 2
        _check_model(one, pictures)


def _check_model(outcome, pictures):
    """Its model folder predicts what the fitted parts do."""
    name = outcome.side.name
    assert (outcome.run_dir is None) == (name in WITHOUT_MODEL)
    if outcome.run_dir is None:
        return
    model = tj.load(outcome.run_dir)
    assert (model.model.method, model.classes) == (name, pictures.classes)
    np.testing.assert_allclose(
        model.probabilities(pictures.target.image),
        outcome.side.probabilities[0],
        atol=1e-3,
    )


# Unit rows are not linear, and the neighbours are the source images themselves.
WITHOUT_MODEL = ('nearest_neighbour', 'tca', 'jda', 'tjm')


def test_two_classes_and_one_without_images_have_a_model(pictures, tmp_path):
    source = pictures.source
    two = pictures._replace(source=source.take(np.flatnonzero(source.label > 1)))
    outcomes = shallow_way.run(two, encoders.TINY, 'coral', tmp_path)
    _check_model(outcomes[-1], two)
    assert outcomes[-1].side.probabilities[..., :2].max() == 0


def test_the_baselines_are_scikit_learns(pictures):
    from sklearn.neighbors import KNeighborsClassifier

    parts = [pictures.source, pictures.target_test]
    x = [encoders.extract(encoders.TINY, pictures.encoder, p.image) for p in parts]
    mean, std = x[0].mean(0), x[0].std(0)
    x = [(part - mean) / np.where(std > 0, std, 1) for part in x]
    neighbour = KNeighborsClassifier(1).fit(x[0], pictures.source.label)
    accuracy = neighbour.score(x[1], pictures.target_test.label)
    outcomes = shallow_way.run(pictures, encoders.TINY, None)
    assert outcomes[1].test_accuracy[0] == pytest.approx(accuracy, abs=0.02)


def test_held_out_images_are_a_fifth_of_each_class(domains):
    source = domains[0].train
    rows = np.concatenate([np.flatnonzero(source.label == i)[:n] for i, n in COUNTS])
    training, validation = photographs.hold_out(source.take(rows), 3)
    held = np.bincount(validation.label, minlength=4).tolist()
    assert held == [4, 1, 0, 0] and len(training) == len(rows) - 5
    alone = source.take(rows[-3:])
    assert photographs.hold_out(alone, 3) == (alone, alone)


def test_validators_see_at_most_2000_images():
    rows = photographs.judged(20_000)
    assert len(rows) == 2000 and np.all(np.diff(rows) > 0) and rows[-1] < 20_000
    np.testing.assert_array_equal(photographs.judged(30), np.arange(30))


COUNTS = ((0, 20), (1, 3), (2, 2), (3, 1))


def test_labelled_target_images_are_a_quarter(domains):
    source, few = domains[0].train, domains[1].test.take(np.arange(10))
    joined = photographs.with_labelled(source, few)
    assert (len(joined) - len(source)) / len(joined) == pytest.approx(0.25, abs=0.02)
