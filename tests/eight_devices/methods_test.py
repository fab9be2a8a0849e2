"""Every method trains on eight devices as on one.

One of each kind by default; the others are marked slow.
"""

import jax
import numpy as np
import pytest

from tests.methods.cases import CASES
from transfer_jax.training import optim, parallel

STEPS = 3
KEY = jax.random.key(1)
# One each of: kernels, plans with labels, weights of a batch, draws for each example.
FAST = ('dan', 'deep_jdot', 'cdan_e', 'wdgrl')


@pytest.mark.parametrize(
    'name',
    [
        name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
        for name in CASES
    ],
)
def test_three_steps(name, networks, batch):
    """Sharded under jit and mapped by pmap: 1e-5 absolute after three steps of SGD."""
    tx = optim.sgd(optim.constant(0.1), momentum=0.0)
    method = CASES[name].make(*networks(dropout=0.0), tx)
    first = jax.jit(method.init)(jax.random.key(0), batch(0, 16))

    def three(step, state, put=lambda batch: batch):
        for t in range(STEPS):
            state, metrics = step(state, put(batch(t, 16)), KEY)
        return state, metrics

    one = three(jax.jit(method.step), first)
    moved = jax.tree.map(lambda a, b: abs(a - b).max(), one[0].params, first.params)
    assert max(float(leaf) for leaf in jax.tree.leaves(moved)) > 1e-2

    rows = parallel.row_sharding(parallel.mesh())
    replicated = parallel.replicated(first, parallel.mesh())
    sharded = three(
        jax.jit(method.step), replicated, lambda batch: jax.device_put(batch, rows)
    )
    assert len(jax.tree.leaves(sharded[0].params)[0].sharding.device_set) == 8
    _close(one, sharded)
    _close(one, three(parallel.pmapped(method).step, first))


def _close(one, two):
    pairs = jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(two)
    for (path, a), b in zip(*pairs, strict=True):
        name = jax.tree_util.keystr(path)
        a, b = np.asarray(a), np.asarray(b)
        np.testing.assert_allclose(a, b, atol=1e-5, err_msg=name)
