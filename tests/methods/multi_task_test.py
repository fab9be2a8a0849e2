"""Multi-task: batches without labels of a task, and the weighting of tasks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import losses, methods, models
from transfer_jax.training import checkpoint, optim

KEY = jax.random.key(1)
TX = optim.sgd(optim.constant(0.1), momentum=0.0)
NAMES = ('encoder', 'classifier', 'odd', 'uncertainty')
FIXED = {'classifier': optim.constant(1.0), 'odd': optim.constant(0.5)}


class Normed(nn.Module):
    """A head with batch statistics."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = models.BatchNorm(name='norm')(x, train=train, domain=domain)
        return nn.Dense(2, name='logits')(x), {}


@pytest.fixture(scope='module')
def make(networks):
    encoder, classifier, _ = networks(0.5)

    def make(weights=None):
        heads = {'classifier': classifier, 'odd': Normed()}
        names = NAMES if weights is None else NAMES[:3]
        txs = {name: TX for name in names}
        return methods.multi_task(encoder, heads, txs=txs, weights=weights)

    return make


@pytest.fixture(scope='module')
def labels(batch):
    """labels(classifier, odd): a batch with the labels that are not None."""

    def make(seed=0, **without):
        image, label = (batch(seed)['source'][k] for k in ('image', 'label'))
        known = {'classifier': label, 'odd': label % 2}
        for task, rows in without.items():
            known[task] = np.where(rows, losses.UNKNOWN, known[task]).astype(np.int32)
        return {'source': {'image': image, 'labels': known}}

    return make


@pytest.fixture(scope='module')
def weighed(make):
    """{weighting: (step, first state)}"""
    return {
        'fixed': jax.jit(make(FIXED).step),
        'uncertainty': jax.jit(make().step),
    }


@pytest.fixture(scope='module')
def firsts(make, labels):
    return {
        'fixed': jax.jit(make(FIXED).init)(jax.random.key(0), labels()),
        'uncertainty': jax.jit(make().init)(jax.random.key(0), labels()),
    }


@pytest.mark.parametrize('arm', ['fixed', 'uncertainty'])
def test_a_task_without_a_label_adds_nothing_and_moves_nothing(
    arm, weighed, firsts, labels, same_bits
):
    step, first = weighed[arm], firsts[arm]
    state, metrics = step(first, labels(odd=True), KEY)
    same_bits(state.params['odd'], first.params['odd'])
    same_bits(state.model_state['odd'], first.model_state['odd'])
    assert metrics['train/odd_loss'] == 0
    assert metrics['train/loss'] == metrics['train/classifier_loss']
    for name in ('encoder', 'classifier'):
        digests = [checkpoint.digest(s.params[name]) for s in (first, state)]
        assert digests[0] != digests[1], name
    if arm == 'uncertainty':
        moved = state.params['uncertainty']
        assert moved['odd'] == 0 != moved['classifier']
    # Without any label, nothing changes but the trunk's statistics.
    state, metrics = step(first, labels(odd=True, classifier=True), KEY)
    assert metrics['train/loss'] == 0
    same_bits(state.params, first.params)


def test_the_first_task_alone_is_supervised_bit_for_bit(
    weighed, firsts, labels, networks, same_bits
):
    encoder, classifier, _ = networks(0.5)
    alone = methods.supervised(encoder, classifier, txs=dict.fromkeys(NAMES[:2], TX))
    plain, state = firsts['fixed'], firsts['fixed']
    start = jax.jit(alone.init)
    label = labels()['source']['labels']['classifier']
    batch = {'source': {'image': labels()['source']['image'], 'label': label}}
    plain, _ = jax.jit(alone.step)(start(jax.random.key(0), batch), batch, KEY)
    state, _ = weighed['fixed'](state, labels(odd=True), KEY)
    for name in ('encoder', 'classifier'):
        same_bits(plain.params[name], state.params[name])


def test_an_unknown_label_is_left_out_of_the_mean(make, labels, networks):
    """The loss of a head without norm is the mean over the known labels."""
    encoder, classifier, _ = networks(0.0, None)
    method = methods.multi_task(
        encoder,
        {'classifier': classifier},
        txs=dict.fromkeys(NAMES[:2], TX),
        weights={'classifier': optim.constant(1.0)},
    )
    some = labels(classifier=np.arange(8) >= 3)
    state = jax.jit(method.init)(jax.random.key(0), some)
    _, metrics = jax.jit(method.step)(state, some, KEY)
    image = {'source': {'image': some['source']['image']}}
    logits = method.predict(state, image)['source']['logits']['classifier'][:3]
    label = some['source']['labels']['classifier'][:3]
    expected = jnp.mean(losses.cross_entropy(logits, label))
    np.testing.assert_allclose(metrics['train/loss'], expected, rtol=1e-5)


def test_weights_and_uncertainties_enter_as_they_say(weighed, firsts, labels):
    batch = labels()
    _, fixed = weighed['fixed'](firsts['fixed'], batch, KEY)
    one, two = (fixed[f'train/{t}_loss'] for t in ('classifier', 'odd'))
    np.testing.assert_allclose(fixed['train/loss'], one + 0.5 * two, rtol=1e-6)
    first = firsts['uncertainty']
    s = {'classifier': jnp.asarray(0.3), 'odd': jnp.asarray(-0.2)}
    first = first.replace(params={**first.params, 'uncertainty': s})
    state, actual = weighed['uncertainty'](first, batch, KEY)
    expected = np.exp(-0.6) * one + 0.3 + np.exp(0.4) * two - 0.2
    np.testing.assert_allclose(actual['train/loss'], expected, rtol=1e-5)
    np.testing.assert_allclose(actual['train/odd_weight'], np.exp(0.4), rtol=1e-6)
    moved = state.params['uncertainty']['odd']  # down the slope 1 - 2 exp(-2 s) loss
    np.testing.assert_allclose(moved, -0.2 - 0.1 * (1 - 2 * np.exp(0.4) * two), 1e-5)


def test_names_that_are_taken_and_weights_of_others_are_refused(networks):
    encoder, classifier, _ = networks()
    for heads, weights, message in (
        ({'encoder': classifier}, None, "'encoder'"),
        ({'a': classifier}, {'b': optim.constant(1.0)}, r"\['b'\].*\['a'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            methods.multi_task(encoder, heads, txs={}, weights=weights)
