"""What the tests of single methods share."""

import jax
import pytest

from transfer_jax import methods
from transfer_jax.training import optim

KEY = jax.random.key(1)


@pytest.fixture(scope='session')
def train_on():
    """train_on(method, batch, steps, state) -> (state, [metrics of each step])."""

    def run(method, batch, steps, state=None):
        if state is None:
            state = jax.jit(method.init)(jax.random.key(0), batch)
        step, history = jax.jit(method.step), []
        for _ in range(steps):
            state, metrics = step(state, batch, KEY)
            history.append(jax.device_get(metrics))
        return state, history

    return run


@pytest.fixture(scope='session')
def supervised(networks):
    """supervised(encoder) -> source-only training of it without momentum."""

    def make(encoder):
        _, classifier, _ = networks(0.5)
        tx = optim.sgd(optim.constant(0.05), momentum=0.0)
        txs = {'encoder': tx, 'classifier': tx}
        return methods.supervised(encoder, classifier, txs=txs)

    return make
