"""What the tests of single methods share."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import methods
from transfer_jax.training import optim

KEY = jax.random.key(1)


class Rows(nn.Module):
    """An encoder whose features are its parameters, whatever the images."""

    rows: int
    width: int

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        shape = (self.rows, self.width)
        return self.param('rows', nn.initializers.zeros, shape)[: len(x)], {}


class Same(nn.Module):
    """A classifier whose logits are the features."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        return x * self.param('scale', nn.initializers.ones, ()), {}


@pytest.fixture(scope='session')
def step_of_rows():
    """step_of_rows(make, logits, label, **params) -> (updates of the logits, metrics).

    `make(encoder, classifier)` is a method whose encoder's features and logits are free
    numbers, source rows first. With plain SGD of rate 1 an update is the negative
    gradient.

    Args:
      label: (n,) of the source rows.
      params: further networks' parameters.
    """

    def run(make, logits, label, **params):
        method = make(Rows(*logits.shape), Same())
        n, m = len(label), len(logits) - len(label)
        batch = {
            'source': {'image': np.zeros((n, 1, 1, 1), np.float32), 'label': label},
            'target': {'image': np.zeros((m, 1, 1, 1), np.float32)},
        }
        state = jax.jit(method.init)(KEY, batch)
        rows = jnp.asarray(logits, jnp.float32)
        params = {**state.params, 'encoder': {'rows': rows}, **params}
        after, metrics = jax.jit(method.step)(state.replace(params=params), batch, KEY)
        moved = after.params['encoder']['rows'] - rows
        return np.asarray(moved, np.float64), jax.device_get(metrics)

    return run


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
