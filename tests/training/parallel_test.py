"""Several runs, several steps: the same numbers as one by one."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import methods, models
from transfer_jax.training import fit, optim, parallel

STEPS = 2
VALUES = {'seeds': {}, 'rates': {'rate': [0.05, 0.2]}}


class Dense(nn.Module):
    """An encoder that compiles at once."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = nn.Dense(6, name='dense')(x.mean((1, 2)))
        x = models.BatchNorm(name='norm')(x, train=train, domain=domain)
        return x, {'dense': x}


@pytest.fixture(scope='module')
def make(networks):
    """make(rate) -> DANN; the rate may be traced."""
    _, classifier, critic = networks()

    def make(rate=0.05):
        tx = optim.sgd(optim.constant(rate))
        return methods.dann(
            Dense(),
            classifier,
            critic,
            txs={'encoder': tx, 'classifier': tx, 'critic': tx},
            strength=optim.constant(0.5),
        )

    return make


@pytest.fixture(scope='module')
def keys():
    return jax.random.split(jax.random.key(0), 2)


@pytest.fixture(scope='module')
def rows(batch):
    """rows[t][r]: the batch of step t of run r; each run has its own."""
    return [[batch(10 * r + t) for r in range(2)] for t in range(STEPS)]


@pytest.fixture(scope='module')
def singles(make, keys, rows):
    """{values: (state, metrics, answers) of each run alone, stacked}."""
    found = {}
    for name, values in VALUES.items():
        ends = []
        for r in range(2):
            method = make(**{name: value[r] for name, value in values.items()})
            state = jax.jit(method.init)(keys[r], rows[0][r])
            step = jax.jit(method.step)
            for t in range(STEPS):
                state, metrics = step(state, rows[t][r], keys[r])
            target = {'target': rows[0][r]['target']}
            ends.append((state, metrics, jax.jit(method.predict)(state, target)))
        found[name] = _stack(ends)
    return found


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _close(one, two):
    """1e-5 absolute after a few SGD steps; vmap sums in another order."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize('vmap', [False, True], ids=['unrolled', 'vmap'])
@pytest.mark.parametrize('name', VALUES)
def test_over_runs_equals_single_runs(make, keys, rows, singles, name, vmap):
    many = parallel.over_runs(make, VALUES[name], vmap=vmap)
    state = jax.jit(many.init)(keys, _stack(rows[0]))
    step = jax.jit(many.step)
    for t in range(STEPS):
        state, metrics = step(state, _stack(rows[t]), keys)
    target = {'target': _stack(rows[0])['target']}
    answers = jax.jit(many.predict)(state, target)
    _close((state, metrics, answers), singles[name])
    kernels = state.params['encoder']['dense']['kernel']
    assert abs(kernels[0] - kernels[1]).max() > 1e-3  # two runs, not one twice


def test_several_steps_equal_single_steps(make, stream, batch):
    method, key = make(), jax.random.key(1)
    first = jax.jit(method.init)(jax.random.key(0), batch())
    seen = []
    singly = fit(
        method,
        first,
        stream,
        key=key,
        steps=3,
        hooks=[lambda t, state, metrics: seen.append(metrics)],
    )
    many = parallel.several_steps(method, 3)
    state, metrics = jax.jit(many.step)(
        first, _stack([stream[t] for t in range(3)]), key
    )
    assert state.step == 3
    _close((state, metrics), (singly, seen[-1]))
