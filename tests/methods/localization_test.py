"""Localisation: several labels, several scales, boxes of an image, void pixels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.methods.cases import MapEncoder
from transfer_jax import losses, methods, models, ops
from transfer_jax.training import optim

KEY = jax.random.key(1)
TX = optim.sgd(optim.constant(0.1), momentum=0.0)


def images(seed=0, n=4, size=(8, 8)):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, *size, 3)).astype(np.float32)


def image_labels(pool=ops.global_max):
    return methods.image_labels(
        MapEncoder(),
        models.ScoreMaps(3, pool),
        loss=losses.multi_label_logistic,
        txs={'encoder': TX, 'head': TX},
    )


def test_several_labels_of_an_image_are_learned():
    method = image_labels(ops.global_average)
    image = images(n=8)
    label = (image.mean((1, 2)) > 0).astype(np.int32)  # for each colour separately
    batch = {'source': {'image': image, 'label': label}}
    state = jax.jit(method.init)(KEY, batch)
    step = jax.jit(method.step)
    first = None
    for _ in range(200):
        state, metrics = step(state, batch, KEY)
        first = metrics['train/loss'] if first is None else first
    assert first == pytest.approx(np.log(2), rel=1e-5)  # scores begin as 0
    assert metrics['train/loss'] < 0.8 * first
    actual = jax.jit(method.predict)(state, {'source': {'image': image}})['source']
    assert actual['maps'].shape == (8, 4, 4, 3)
    np.testing.assert_allclose(actual['maps'].mean((1, 2)), actual['logits'], atol=1e-5)


def test_scores_of_several_sizes_are_averaged():
    method = image_labels()
    batch = {'source': {'image': images(), 'label': np.ones((4, 3), np.int32)}}
    state = jax.jit(method.init)(KEY, batch)
    state, _ = jax.jit(method.step)(state, batch, KEY)
    predict = functools.partial(_ask, method, state)
    whole = {'image': images(1)}
    same = methods.at_scales(predict, [(8, 8)])(whole)
    np.testing.assert_allclose(same['logits'], predict(whole)['logits'])
    actual = jax.jit(methods.at_scales(predict, [(8, 8), (16, 12)]))(whole)
    larger = {'image': jax.image.resize(whole['image'], (4, 16, 12, 3), 'bilinear')}
    expected = (predict(whole)['logits'] + predict(larger)['logits']) / 2
    np.testing.assert_allclose(actual['logits'], expected, atol=1e-5)
    assert actual['maps'].shape == (4, 8, 6, 3)
    highest = methods.at_scales(
        predict, [(8, 8), (16, 12)], combine=lambda s: jnp.max(s, 0)
    )(whole)
    assert (highest['logits'] >= actual['logits'] - 1e-6).all()
    with pytest.raises(ValueError, match='at least one'):
        methods.at_scales(predict, [])


def _ask(method, state, batch):
    return method.predict(state, {'source': batch})['source']


def test_pronet_scores_an_image_by_its_best_box():
    method = methods.pronet(
        MapEncoder(),
        models.ScoreMaps(3),
        loss=losses.multi_label_logistic,
        pool=ops.global_max,
        txs={'encoder': TX, 'head': TX},
    )
    boxes = images(2, 12).reshape(4, 3, 8, 8, 3)
    batch = {'source': {'image': boxes, 'label': np.eye(4, 3, dtype=np.int32)}}
    state = jax.jit(method.init)(KEY, batch)
    state, _ = jax.jit(method.step)(state, batch, KEY)
    actual = jax.jit(method.predict)(state, batch)['source']
    assert actual['boxes'].shape == (4, 3, 3)
    assert actual['maps'].shape == (4, 3, 4, 4, 3)
    np.testing.assert_allclose(actual['logits'], actual['boxes'].max(1))
    turned = {'source': {**batch['source'], 'image': boxes[:, ::-1]}}
    other = jax.jit(method.predict)(state, turned)['source']
    np.testing.assert_allclose(other['logits'], actual['logits'], atol=1e-6)
    with pytest.raises(ValueError, match=r'images of boxes must be \(n, b, h, w, c\)'):
        method.predict(state, {'source': {'image': images()}})


def test_void_pixels_teach_nothing():
    method = methods.segmentation(models.FCN(MapEncoder(), 2), txs={'segmenter': TX})
    image = images(3)
    label = np.random.default_rng(0).integers(0, 2, (4, 8, 8))
    label[:, :4] = 255
    step = jax.jit(method.step)
    batch = {'source': {'image': image, 'label': label}}
    state = jax.jit(method.init)(KEY, batch)
    one, metrics = step(state, batch, KEY)
    assert metrics['train/loss'] == pytest.approx(np.log(2), rel=1e-5)
    label[:] = 255
    still, metrics = step(state, {'source': {'image': image, 'label': label}}, KEY)
    assert metrics['train/loss'] == 0
    before, moved, same = (
        s.params['segmenter']['score']['kernel'] for s in (state, one, still)
    )
    np.testing.assert_array_equal(before, same)
    assert np.abs(moved - before).max() > 0
