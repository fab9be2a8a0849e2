"""Two towers: scores written out, training, and classes that were not trained."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.zero_shot import generated
from transfer_jax import losses, methods, models, zero_shot
from transfer_jax.training import optim

WORLD = generated.world(seen=8, unseen=3, each=6)
BATCH = {
    'source': {
        'image': WORLD.x.astype(np.float32),
        'label': WORLD.label.astype(np.int32),
    }
}
TEST = {'target': {'image': WORLD.test_x.astype(np.float32)}}
IMAGE, NAME = models.Classifier(5), models.Classifier(5)
TX = optim.adam(optim.constant(0.03))


def towers(**options):
    return methods.two_towers(
        IMAGE, None, NAME, vectors=WORLD.vectors, txs=TX, **options
    )


def scores(vectors, **options):
    return jax.jit(methods.tower_scores(IMAGE, None, NAME, vectors=vectors, **options))


@pytest.mark.parametrize('temperature', [0.1, 2.0, None])
def test_scores_are_cosines_or_products(temperature):
    method = towers(temperature=temperature)
    state = method.init(jax.random.key(0), BATCH)
    f, g = (
        rows @ np.asarray(params['logits']['kernel']) + params['logits']['bias']
        for rows, params in (
            (WORLD.test_x, state.params['encoder']),
            (WORLD.vectors, state.params['names']),
        )
    )
    expected = f @ g.T
    if temperature is not None:
        expected = generated.unit(f) @ generated.unit(g).T / temperature
    answers = jax.jit(method.predict)(state, TEST)['target']
    np.testing.assert_allclose(answers['logits'], expected, rtol=2e-3, atol=1e-4)
    other = scores(WORLD.vectors[::-1], temperature=temperature)(state, TEST)['target']
    np.testing.assert_allclose(
        other['logits'][:, ::-1], answers['logits'], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'temperature': None, 'loss': functools.partial(zero_shot.sum_of_hinges)},
        {'temperature': 1.0, 'loss': functools.partial(zero_shot.ranked_hinges)},
    ],
    ids=['softmax', 'bilinear ranking', 'cosine ranking'],
)
def test_unseen_classes_are_recognised_after_training(options, train_on):
    state, history = train_on(towers(**options), BATCH, 150)
    assert history[-1]['train/loss'] < history[0]['train/loss'] / 2
    assert history[-1]['train/source_accuracy'] > 0.8
    predict = scores(WORLD.unseen, temperature=options.get('temperature', 0.1))
    predicted = predict(state, TEST)['target']['logits'].argmax(1)
    assert np.mean(predicted == WORLD.test_label) > 0.6  # chance is 1/3


def test_the_loss_is_the_mean_over_seen_classes(train_on):
    method = towers()
    state = jax.jit(method.init)(jax.random.key(0), BATCH)
    logits = method.predict(state, {'source': BATCH['source']})['source']['logits']
    expected = jnp.mean(losses.cross_entropy(logits, BATCH['source']['label']))
    _, history = train_on(method, BATCH, 1, state)
    np.testing.assert_allclose(history[0]['train/loss'], expected, rtol=1e-5)


def test_an_embedding_of_zeros_has_a_finite_gradient(train_on):
    method = towers()
    state = method.init(jax.random.key(0), BATCH)
    state = state.replace(params=jax.tree.map(jnp.zeros_like, state.params))
    state, _ = train_on(method, BATCH, 2, state)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))


@pytest.mark.parametrize(
    'change, message',
    [
        ({'vectors': WORLD.vectors[:1]}, 'at least 2 seen classes'),
        ({'vectors': WORLD.vectors[0]}, r'vectors \(6,\): must be \(classes'),
        ({'vectors': np.full((3, 6), np.nan)}, 'NaN or infinite'),
        ({'temperature': 0.0}, 'temperature 0.0: must be positive'),
    ],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {'vectors': WORLD.vectors, 'txs': TX} | change
    with pytest.raises(ValueError, match=message):
        methods.two_towers(IMAGE, None, NAME, **arguments)
