"""Several runs, several steps: the same numbers as one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import methods
from transfer_jax.training import fit, optim, parallel

STEPS = 2


@pytest.fixture(scope='module')
def make(networks):
    """make(rate) -> DANN; the rate may be traced."""
    encoder, classifier, critic = networks()

    def make(rate=0.05):
        tx = optim.sgd(optim.constant(rate))
        return methods.dann(
            encoder,
            classifier,
            critic,
            txs={'encoder': tx, 'classifier': tx, 'critic': tx},
            strength=optim.constant(0.5),
        )

    return make


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _close(one, two):
    """1e-5 absolute after a few SGD steps; vmap sums in another order."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize('vmap', [False, True], ids=['unrolled', 'vmap'])
@pytest.mark.parametrize('values', [{}, {'rate': [0.05, 0.2]}], ids=['seeds', 'rates'])
def test_over_runs_equals_single_runs(make, batch, values, vmap):
    keys = jax.random.split(jax.random.key(0), 2)
    rows = [[batch(10 * r + t) for r in range(2)] for t in range(STEPS)]
    singles = []
    for r in range(2):
        method = make(**{name: value[r] for name, value in values.items()})
        state = jax.jit(method.init)(keys[r], rows[0][r])
        step = jax.jit(method.step)
        for t in range(STEPS):
            state, metrics = step(state, rows[t][r], keys[r])
        target = {'target': rows[0][r]['target']}
        answers = jax.jit(method.predict)(state, target)
        singles.append((state, metrics, answers))

    many = parallel.over_runs(make, values, vmap=vmap)
    state = jax.jit(many.init)(keys, _stack(rows[0]))
    step = jax.jit(many.step)
    for t in range(STEPS):
        state, metrics = step(state, _stack(rows[t]), keys)
    target = {'target': _stack(rows[0])['target']}
    answers = jax.jit(many.predict)(state, target)
    _close((state, metrics, answers), _stack(singles))
    kernels = state.params['encoder']['conv_1']['kernel']
    assert abs(kernels[0] - kernels[1]).max() > 1e-3  # two runs, not one twice


def test_several_steps_equal_single_steps(make, stream, batch):
    method, key = make(), jax.random.key(1)
    first = jax.jit(method.init)(jax.random.key(0), batch())
    singly = fit(method, first, stream, key=key, steps=3)
    many = parallel.several_steps(method, 3)
    state, metrics = jax.jit(many.step)(
        first, _stack([stream[t] for t in range(3)]), key
    )
    assert state.step == 3
    _close(state, singly)
    _, last = jax.jit(method.step)(
        fit(method, first, stream, key=key, steps=2), stream[2], key
    )
    _close(metrics, last)
