"""Evaluations of data that lies on the device equal those of batches from the host."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from transfer_jax import data, evaluation, metrics, runs, selection

Parts = collections.namedtuple('Parts', 'labelled unlabelled nothing other')
WEIGHT = np.random.default_rng(1).normal(size=(4 * 4 * 3, 5)).astype(np.float32)


def _predict(weight, batch):
    x = batch['image'].reshape(batch['image'].shape[0], -1)
    return {'logits': x @ weight, 'features': jnp.tanh(x)}


PREDICT = Partial(_predict, WEIGHT)


@pytest.fixture(scope='module')
def parts():
    """Data sets of 23 and 17 items in batches of 5, and what is none."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (23, 4, 4, 3), dtype=np.uint8)
    source = data.Arrays(image, rng.integers(5, size=23))
    scale = data.normalise(np.full(3, 0.5))
    return Parts(
        data.batches(source, 5).map(scale),
        data.batches(data.Images(image[:17]), 5).map(scale),
        None,
        [{'image': image}],
    )


@pytest.fixture(scope='module')
def placed(parts):
    return evaluation.on_device.place(parts, 'always')


def test_only_data_sets_are_moved(parts, placed, monkeypatch):
    assert placed.nothing is None
    assert placed.other[0]['image'] is parts.other[0]['image']
    assert (placed.labelled.items, placed.labelled.size) == (23, 5)
    assert len(placed.unlabelled) == 4
    assert evaluation.on_device.place(parts, 'never') is parts
    monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
    assert evaluation.on_device.place(parts) is parts


def test_sets_are_found_in_tuples_lists_and_dictionaries(parts):
    nested = {1: [parts.labelled], 'x': (parts.unlabelled, 'text')}
    placed = evaluation.on_device.place(nested, 'always')
    assert list(placed) == [1, 'x'] and placed['x'][1] == 'text'
    for found in (placed[1][0], placed['x'][0]):
        assert isinstance(found, evaluation.on_device.Batches)
    stream = data.unlabelled(
        data.Images(np.zeros((5, 4, 4, 3), np.uint8)), batch_size=2, seed=0
    )
    assert evaluation.on_device.place(stream, 'always') is stream


def test_what_the_host_refuses_is_refused():
    gray = data.Images(np.zeros((5, 4, 4, 1), np.uint8))
    batches = data.batches(gray, 2).map(data.normalise(np.full(3, 0.5)))
    with pytest.raises(ValueError, match='one number for each channel'):
        evaluation.on_device.place(batches, 'always')


def test_batches_are_those_of_the_host(parts, placed):
    for there, here in zip(placed[:2], parts[:2], strict=True):
        for number in range(len(here)):
            row = jax.tree.map(lambda leaf, i=number: leaf[i], there.rows)
            made, given = there.make(*there.data, row, number), here[number]
            assert made.keys() == given.keys()
            for key, value in given.items():
                np.testing.assert_allclose(made[key], value, atol=1e-6, err_msg=key)
                np.testing.assert_array_equal(there[number][key], value)


def test_outputs_and_metrics_without_padding(parts, placed):
    layers = {'layers': ['logits'], 'optional_layers': ['features', 'no such']}
    for there, here in zip(placed[:2], parts[:2], strict=True):
        found = evaluation.extract(PREDICT, there, **layers)
        wanted = evaluation.extract(PREDICT, here, **layers)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            np.testing.assert_allclose(found[key], value, atol=1e-4, err_msg=key)
    metric = metrics.accuracy()
    found = evaluation.evaluate(PREDICT, placed.labelled, metric)
    assert found == evaluation.evaluate(PREDICT, parts.labelled, metric)
    assert found['count'] == 23
    for part in (placed.labelled, parts.labelled):
        label = evaluation.on_device.labels(part)
        assert label.shape == (23,)
        np.testing.assert_array_equal(label[:5], parts.labelled[0]['label'])


def test_mixed_images_are_those_of_the_host(parts, placed):
    label = np.random.default_rng(2).integers(3, size=17)
    each = [selection.partners(label[start : start + 5]) for start in range(0, 17, 5)]
    partner = np.concatenate([5 * i + own for i, own in enumerate(each)])
    there = evaluation.on_device.mixed(
        placed.unlabelled, partner, selection.mixing.DOMINANT
    )
    here = [selection.mix(*both) for both in zip(parts.unlabelled, each, strict=True)]
    found = evaluation.extract(PREDICT, there, ['features'])['features']
    wanted = evaluation.extract(PREDICT, here, ['features'])['features']
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_scores_of_an_evaluation_are_the_same(parts, placed):
    predicts = {'source': PREDICT, 'target': PREDICT}

    def scores(of):
        held_out = runs.HeldOut(of.labelled, of.unlabelled, of.labelled)
        return runs.measure_adaptation(predicts, held_out)

    found, wanted = scores(placed), scores(parts)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-4, nan_ok=True), name
