"""DSBN's second stage: its pseudo-labels, its fixed first network, its start."""

import jax
import numpy as np
import pytest

from tests.methods.cases import CASES
from transfer_jax import losses, methods
from transfer_jax.recipes import networks as named
from transfer_jax.training import checkpoint, optim

SGD = optim.sgd(optim.constant(0.05), momentum=0.0)
TXS = {'encoder': SGD, 'classifier': SGD}


@pytest.mark.parametrize(
    'share, label', [(0.0, [0, 1]), (0.25, [0, 1]), (0.5, [2, 1]), (1.0, [2, 0])]
)
def test_a_mixed_label_by_hand(share, label):
    """(1 - share) first + share second, at 1/4: (1.75, 1, 1.25) and (.375, 1.5, 0)."""
    first = np.float32([[2, 1, 0], [0, 2, 0]])
    second = np.float32([[1, 1, 5], [1.5, 0, 0]])
    actual = jax.jit(losses.mixed_label)(first, second, share=share)
    np.testing.assert_array_equal(actual, label)


@pytest.fixture(scope='module')
def second_stage(networks, batch):
    """(make(mixing), first state, last state of the first stage, networks)."""
    parts = networks(0.0, named.NORMS['dsbn'])
    dann = CASES['dann'].make(*parts, SGD)
    trained = jax.jit(dann.init)(jax.random.key(0), batch(n=12))
    step = jax.jit(dann.step)
    for t in range(3):
        trained, _ = step(trained, batch(t, n=12), jax.random.key(1))

    def make(mixing):
        weight, mixing = optim.constant(1.0), optim.constant(mixing)
        return methods.dsbn(*parts[:2], txs=TXS, weight=weight, mixing=mixing)

    fresh = jax.jit(make(0.0).init)(jax.random.key(5), batch(n=12))
    return make, methods.start_with_labels_of(fresh, trained), trained, parts[:2]


def test_it_begins_anew_beside_the_first_network(second_stage, same_bits):
    _, start, trained, _ = second_stage
    for name in ('encoder', 'classifier'):
        same_bits(start.extra['params'][name], trained.params[name])
        same_bits(start.extra['model_state'][name], trained.model_state[name])
    assert checkpoint.digest(start.params['encoder']) != checkpoint.digest(
        trained.params['encoder']
    )


@pytest.mark.parametrize('mixing', [0.0, 0.6])
def test_the_target_loss_has_the_mixed_labels(second_stage, batch, mixing, same_bits):
    """Computed from the predictions of both networks, target statistics in each."""
    make, start, trained, pair = second_stage
    method, given = make(mixing), batch(7, n=12)
    target = {'target': {'image': given['target']['image']}}
    predict = jax.jit(method.predict)
    first = predict(
        start.replace(params=trained.params, model_state=trained.model_state), target
    )['target']['logits']
    present = predict(start, target)['target']['logits']
    label = np.argmax((1 - mixing) * first + mixing * present, -1)

    after, metrics = jax.jit(method.step)(start, given, jax.random.key(2))
    changed = np.mean(label != np.argmax(first, -1))
    np.testing.assert_allclose(metrics['train/changed'], changed)
    assert mixing or changed == 0
    same_bits(after.extra, start.extra)  # the first network is fixed

    # As supervised training with these labels on the target, whose loss is the mean of
    # both domains' and not their sum.
    labelled = {
        'source': given['source'],
        'target_labelled': {'image': given['target']['image'], 'label': label},
    }
    supervised = methods.supervised(*pair, txs=TXS)
    also, mean = jax.jit(supervised.step)(start, labelled, jax.random.key(2))
    np.testing.assert_allclose(metrics['train/loss'], 2 * mean['train/loss'], rtol=1e-5)
    for before, one, half in zip(
        *(jax.tree.leaves(state.params) for state in (start, after, also)), strict=True
    ):
        np.testing.assert_allclose(one - before, 2 * (half - before), atol=1e-6)
