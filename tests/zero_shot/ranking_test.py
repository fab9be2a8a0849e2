"""Ranking losses by hand and per example, and a step of descent written out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.zero_shot import generated
from transfer_jax import zero_shot

pytestmark = pytest.mark.usefixtures('float64')
LOSSES = {
    'devise': zero_shot.sum_of_hinges,
    'sje': zero_shot.largest_hinge,
    'ale': zero_shot.ranked_hinges,
}


def written_out(name, scores, label, margin):
    """(value, gradient (c,)) of one example."""
    gradient, terms = np.zeros(len(scores)), {}
    for y, score in enumerate(scores):
        violation = margin + score - scores[label]
        if y != label and violation > 0:
            terms[y] = violation
    if not terms:
        return 0.0, gradient
    if name == 'sje':
        worst = max(terms, key=terms.get)
        terms = {worst: terms[worst]}
    weight = 1.0
    if name == 'ale':
        weight = sum(1 / (i + 1) for i in range(len(terms))) / len(terms)
    for y in terms:
        gradient[y] += weight
        gradient[label] -= weight
    return weight * sum(terms.values()), gradient


@pytest.mark.parametrize('name', LOSSES)
def test_a_loss_and_its_gradient_are_as_written_out(name):
    rng = np.random.default_rng(0)
    scores, label = rng.normal(size=(20, 6)), rng.integers(6, size=20)
    scores[0] = 9 * np.eye(6)[label[0]]  # one example violates nothing
    loss = functools.partial(LOSSES[name], margin=0.3)
    value = loss(scores, label)
    gradient = jax.grad(lambda s: jnp.sum(loss(s, label)))(jnp.asarray(scores))
    for i in range(20):
        expected = written_out(name, scores[i], label[i], 0.3)
        np.testing.assert_allclose(value[i], expected[0], rtol=1e-12)
        np.testing.assert_allclose(gradient[i], expected[1], atol=1e-12)


def test_losses_by_hand():
    scores, label = np.array([[1.0, 0.95, 0.5, 1.2]]), np.array([0])
    # Margin 0.1: violations 0.05 of class 1 and 0.3 of class 3.
    how = {'margin': 0.1}
    np.testing.assert_allclose(zero_shot.sum_of_hinges(scores, label, **how), [0.35])
    np.testing.assert_allclose(zero_shot.largest_hinge(scores, label, **how), [0.3])
    np.testing.assert_allclose(
        zero_shot.ranked_hinges(scores, label, **how), [(1 + 1 / 2) / 2 * 0.35]
    )


@pytest.mark.parametrize('name', LOSSES)
def test_gradients_are_finite_where_all_scores_are_equal(name):
    loss = LOSSES[name]
    label = np.array([0, 2])
    for scores in (np.zeros((2, 4)), 1e30 * np.ones((2, 4)), 50 * np.eye(4)[label]):
        gradient = jax.grad(lambda s: jnp.sum(loss(s, label)))(jnp.asarray(scores))
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    'name, maps', [('devise', 1), ('sje', 1), ('ale', 1), ('latem', 3)]
)
def test_a_step_descends_along_the_gradient_written_out(name, maps):
    world = generated.world(seen=4, each=5)
    how = {'rate': 0.1, 'margin': 0.3, 'batch': 1_000}
    if name == 'latem':
        how['maps'] = maps
    make = getattr(zero_shot, name)
    key = jax.random.key(3)
    one, two = (make(**how, epochs=e).fit(key, *world[:3]).maps for e in (1, 2))
    w, result = np.asarray(one), np.asarray(two)
    gradient = np.zeros_like(w)
    for x, label in zip(world.x, world.label, strict=True):
        each = np.array([[x @ m @ s for s in world.vectors] for m in w])
        chosen, scores = each.argmax(0), each.max(0)
        kind = 'devise' if name == 'latem' else name
        slope = written_out(kind, scores, label, 0.3)[1]
        for y, s in enumerate(world.vectors):
            gradient[chosen[y]] += slope[y] * np.outer(x, s) / len(world.x)
    assert abs(gradient).max() > 1e-3
    np.testing.assert_allclose(result, w - 0.1 * gradient, atol=1e-10)


def test_one_latent_map_is_devise():
    world = generated.world(seen=4)
    fits = [
        make(1.0, 0.2, epochs=3).fit(jax.random.key(0), *world[:3])
        for make in (functools.partial(zero_shot.latem, maps=1), zero_shot.devise)
    ]
    np.testing.assert_array_equal(fits[0].maps, fits[1].maps)


def test_every_example_is_visited_once_an_epoch():
    """With hinges that are all active the mean gradient of an epoch is that of all."""
    world = generated.world(seen=4, each=8)
    how = {'rate': 1e-6, 'margin': 100.0}
    key = jax.random.key(0)
    whole, parts = (
        np.asarray(zero_shot.devise(**how, epochs=1, batch=b).fit(key, *world[:3]).maps)
        for b in (32, 8)
    )
    start = np.asarray(
        zero_shot.devise(1e-30, 100.0, epochs=1, batch=32).fit(key, *world[:3]).maps
    )
    np.testing.assert_allclose(parts - start, 4 * (whole - start), rtol=1e-6)
