"""Tests of every shallow method. A new method adds its row to `CASES`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from transfer_jax import data, evaluation, metrics, shallow
from transfer_jax.data import features
from transfer_jax.types import Samples

CLASSES = 3
KEY = jax.random.key(0)
CASES = {
    'none': shallow.none,
    'dip': lambda: shallow.dip(3, steps=5),
    'gfk': lambda: shallow.gfk(4),
    'gfk_pls': lambda: shallow.gfk(2, classes=CLASSES),
    'pca': lambda: shallow.pca(4),
    'sgf': lambda: shallow.sgf(3, components=4, classes=CLASSES),
    'subspace_alignment': lambda: shallow.subspace_alignment(4),
    'class_transport': lambda: shallow.class_transport(0.01, 0.01, classes=CLASSES),
    'entropic_transport': lambda: shallow.entropic_transport(0.01),
    'exact_transport': shallow.exact_transport,
    'coral': shallow.coral,
    'jda': lambda: shallow.jda(4, classes=CLASSES, iterations=3),
    'semi_supervised_tca': lambda: shallow.semi_supervised_tca(4, classes=CLASSES),
    'tca': lambda: shallow.tca(4),
    'tjm': lambda: shallow.tjm(4, iterations=3),
}


@pytest.fixture(params=CASES)
def made(request):
    return shallow.pipeline(CASES[request.param](), shallow.nearest_neighbour(CLASSES))


def samples(seed, n=24, d=7):
    rng = np.random.default_rng(seed)
    x = rng.normal(seed, 1, (n, d)).astype(np.float32)
    return Samples(x, np.arange(n) % CLASSES, np.ones(n, np.float32))


def padded(whole, rows, value):
    fill = np.full((rows, whole.x.shape[1]), value, np.float32)
    return Samples(
        np.concatenate([whole.x, fill]),
        np.concatenate([whole.label, np.zeros(rows, whole.label.dtype)]),
        np.concatenate([whole.mask, np.zeros(rows, np.float32)]),
    )


def test_target_labels_change_nothing(made, same_bits):
    source, target = samples(0), samples(1)
    shuffled = target._replace(label=target.label[::-1].copy())
    absent = target._replace(label=np.full_like(target.label, -1))
    fitted = made.fit(KEY, source, target)
    same_bits(fitted, made.fit(KEY, source, shuffled))
    same_bits(fitted, made.fit(KEY, source, absent))


def test_source_labels_change_the_fit(made):
    source, target = samples(0), samples(1)
    one = made.fit(KEY, source, target)
    two = made.fit(KEY, source._replace(label=source.label[::-1].copy()), target)
    logits = [
        np.asarray(made.predict(f, {'x': target.x})['logits']) for f in (one, two)
    ]
    assert np.abs(logits[0] - logits[1]).max() > 0.01


def test_padding_changes_nothing(made):
    source, target = samples(0), samples(1)
    plain = made.predict(made.fit(KEY, source, target), {'x': target.x})
    wide = made.fit(KEY, padded(source, 5, 100.0), padded(target, 9, -70.0))
    filled = made.predict(wide, {'x': target.x})
    np.testing.assert_allclose(plain['logits'], filled['logits'], rtol=1e-5)


def test_jit_and_vmap_over_draws_give_what_single_fits_give(made):
    draws, target = [samples(seed) for seed in (0, 2, 3)], samples(1)
    keys = jax.random.split(KEY, 3)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *draws)

    @jax.jit
    def together(keys, sources):
        def one(key, source):
            fitted = made.fit(key, source, target)
            return made.predict(fitted, {'x': target.x})['logits']

        return jax.vmap(one)(keys, sources)

    single = [
        made.predict(made.fit(key, source, target), {'x': target.x})['logits']
        for key, source in zip(keys, draws, strict=True)
    ]
    np.testing.assert_allclose(together(keys, stacked), single, rtol=1e-5)


def test_evaluation_takes_its_predictions(made):
    source, target = samples(0), samples(0)
    predict = Partial(made.predict, jax.jit(made.fit)(KEY, source, target))
    table = features.Features(target.x, target.label, ('a', 'b', 'c'))
    batches = data.batches(table, 10)  # the last one holds 4 and 6 of padding
    result = evaluation.evaluate(predict, batches, metrics.accuracy())
    assert result == {'accuracy': 1.0, 'count': 24}
    extracted = evaluation.extract(predict, batches)
    assert extracted['logits'].shape == (24, CLASSES)
    assert extracted['features'].dtype == np.float32


def test_fits_are_in_float64(made):
    fitted = jax.jit(made.fit)(KEY, samples(0), samples(1))
    for leaf in jax.tree.leaves(fitted.alignment):
        assert leaf.dtype in (jnp.float64, jnp.bool_)


def test_distances_are_in_float64():
    # In float32 the squares, 7 * 4096^2, are rounded to whole numbers.
    rng = np.random.default_rng(0)
    x = (4096 + rng.integers(-8, 8, (24, 7)) / 8).astype(np.float32)
    source = samples(0)._replace(x=x)
    made = shallow.pipeline(shallow.none(), shallow.nearest_neighbour(CLASSES))
    fitted = jax.jit(made.fit)(KEY, source, source)
    result = jax.jit(made.predict)(fitted, {'x': x})['logits'].argmax(1)
    assert result.tolist() == source.label.tolist()


def test_a_method_may_classify_by_itself():
    align = shallow.none()._replace(predict=lambda fitted, x: -x)
    made = shallow.pipeline(align)
    fitted = made.fit(KEY, samples(0), samples(1))
    np.testing.assert_array_equal(
        made.predict(fitted, {'x': samples(1).x})['logits'], -samples(1).x
    )


def test_a_pipeline_has_exactly_one_classifier():
    with pytest.raises(ValueError, match='one classifier'):
        shallow.pipeline(shallow.none())
    align = shallow.none()._replace(predict=lambda fitted, x: x)
    with pytest.raises(ValueError, match='one classifier'):
        shallow.pipeline(align, shallow.nearest_neighbour(2))


def test_weights_of_a_method_reach_its_classifier():
    def fit(key, source, weights):
        return jnp.sum(weights * source.x[:, 0])

    classify = shallow.Classifier(fit, lambda fitted, x: fitted + x)
    align = shallow.none()._replace(weights=lambda fitted: jnp.arange(24.0))
    fitted = shallow.pipeline(align, classify).fit(KEY, samples(0), samples(1))
    expected = np.sum(np.arange(24) * samples(0).x[:, 0])
    np.testing.assert_allclose(fitted.classifier, expected, rtol=1e-6)
