"""Labelled target images: a separate stream whose labels count like the source's."""

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import methods
from transfer_jax.training import optim


def make(networks):
    encoder, classifier, _ = networks(dropout=0.0, norm=None)
    tx = optim.sgd(optim.constant(0.1))
    txs = {'encoder': tx, 'classifier': tx}
    return methods.supervised(encoder, classifier, txs=txs)


def test_labelled_targets_alone_are_a_batch(batch, networks, same_bits):
    """They are trained on like the same images under the name of the source."""
    method = make(networks)
    source = batch()['source']
    key = jax.random.key(0)
    one = method.init(key, {'source': source})
    two = method.init(key, {'target_labelled': source})
    same_bits(one, two)
    step = jax.jit(method.step)
    after, metrics = step(one, {'source': source}, key)
    also, others = step(two, {'target_labelled': source}, key)
    same_bits(after.params, also.params)
    assert 'train/source_accuracy' in metrics
    assert 'train/target_labelled_accuracy' in others


def test_together_they_are_one_mean(batch, networks):
    method = make(networks)
    source, other = batch(0)['source'], batch(1, n=4)['source']
    state = method.init(jax.random.key(0), {'source': source})
    both = {'source': source, 'target_labelled': other}
    _, metrics = method.step(state, both, jax.random.key(0))
    whole = {name: np.concatenate([source[name], other[name]]) for name in source}
    _, expected = method.step(state, {'source': whole}, jax.random.key(0))
    actual, wanted = (m['train/loss'] for m in (metrics, expected))
    assert jnp.allclose(actual, wanted, rtol=1e-6)
