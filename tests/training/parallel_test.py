"""Several runs or steps in one program give the same numbers as one by one."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import losses, methods, models, ops
from transfer_jax.methods.adaptation import two_domains
from transfer_jax.ops import convolution
from transfer_jax.training import Method, fit, optim, parallel

VALUES = {'seeds': {}, 'rates': {'rate': [0.05, 0.2]}}


class Dense(nn.Module):
    """An encoder that compiles fast."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = nn.Dense(6, name='dense')(x.mean((1, 2)))
        x = models.BatchNorm(name='norm')(x, train=train, domain=domain)
        return x, {'dense': x}


@pytest.fixture(scope='module')
def make(networks):
    """make(rate) -> DANN; the rate may be traced."""
    _, classifier, discriminator = networks()

    def make(rate=0.05):
        tx = optim.sgd(optim.constant(rate))
        return methods.dann(
            Dense(),
            classifier,
            discriminator,
            txs={'encoder': tx, 'classifier': tx, 'discriminator': tx},
            strength=optim.constant(0.5),
        )

    return make


@pytest.fixture(scope='module')
def keys():
    return jax.random.split(jax.random.key(0), 2)


@pytest.fixture(scope='module')
def rows(batch):
    """A different batch for each run."""
    return [batch(0), batch(10)]


def _whole(method):
    """(key, batch) -> all outputs of a method: state, metrics, prediction."""

    def run(key, batch):
        state, metrics = method.step(method.init(key, batch), batch, key)
        return state, metrics, method.predict(state, {'target': batch['target']})

    return jax.jit(run)


@pytest.fixture(scope='module')
def singles(make, keys, rows):
    """{values: the outputs of each run alone, stacked}."""
    usual, fast = _whole(make()), _whole(make(0.2))
    first, second = usual(keys[0], rows[0]), usual(keys[1], rows[1])
    return {
        'seeds': _stack([first, second]),
        'rates': _stack([first, fast(keys[1], rows[1])]),
    }


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _close(one, two):
    """1e-5 absolute after a few SGD steps; vmap sums in another order."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize('how', ['vmap', 'unroll', 'scan'])
@pytest.mark.parametrize('name', VALUES)
def test_over_runs_equals_single_runs(make, keys, rows, singles, name, how):
    many = parallel.over_runs(make, VALUES[name], how=how)
    outputs = _whole(many)(keys, _stack(rows))
    _close(outputs, singles[name])
    kernels = outputs[0].params['encoder']['dense']['kernel']
    assert abs(kernels[0] - kernels[1]).max() > 1e-3  # two runs, not one twice


def test_convolutions_of_several_runs_may_be_products(monkeypatch):
    """On an accelerator, where XLA's grouped convolution would be the default."""
    network = models.Conv(4, 3, name='conv')
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 6, 6, 2)), jnp.float32)
    keys = jax.random.split(jax.random.key(0), 3)
    method = Method(network.init, network.apply, None)
    variables = parallel.over_runs(lambda: method, how='vmap').init(keys, x)
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    programs, outputs = {}, {}
    for how in ('vmap', 'vmap_patches'):
        step = parallel.over_runs(lambda: method, how=how).step
        programs[how] = str(jax.make_jaxpr(step)(variables, x))
        outputs[how] = step(variables, x)
    assert 'conv_general_dilated' in programs['vmap']
    assert 'conv_general_dilated' not in programs['vmap_patches']
    np.testing.assert_allclose(*outputs.values(), atol=1e-5)
    assert convolution._patches.get() is False


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


@pytest.mark.parametrize('name', ['temperature', 'width'])
def test_any_scalar_may_differ_between_runs(networks, keys, rows, name):
    """MCC's temperature; the width of the kernel of an MMD."""
    _, classifier, _ = networks()
    tx = optim.sgd(optim.constant(0.05))
    given = {
        'txs': {'encoder': tx, 'classifier': tx},
        'weight': optim.constant(1.0),
    }

    def make(value):
        if name == 'temperature':
            return methods.mcc(Dense(), classifier, **given, temperature=value)

        def penalty(out, state):
            kernel = ops.gaussian_kernel(value[None])
            pair = two_domains.gathered(out, 'features')
            return losses.mmd_biased(*pair, kernel=kernel), {}

        return two_domains.regularised(Dense(), classifier, **given, penalty=penalty)

    values = jnp.float32([0.5, 4.0])
    many = parallel.over_runs(lambda value: make(value), {'value': values}, how='vmap')
    outputs = _whole(many)(keys, _stack(rows))
    alone = [
        _whole(make(value))(key, row)
        for value, key, row in zip(values, keys, rows, strict=True)
    ]
    _close(outputs, _stack(alone))


def test_a_way_that_there_is_not_is_named(make):
    with pytest.raises(ValueError, match="no way 'fast' for runs; choose from vmap"):
        parallel.over_runs(make, {'rate': [0.1]}, how='fast')


def test_of_several_processes_a_stream_must_have_rows_of_one(batch, monkeypatch):
    monkeypatch.setattr(jax, 'device_count', lambda: 2)
    monkeypatch.setattr(jax, 'process_count', lambda: 2)
    with pytest.raises(
        ValueError, match='2 processes need a stream with process_shard'
    ):
        parallel.shard(None, [batch()])
