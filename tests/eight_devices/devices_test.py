"""One device and eight give the same training."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import data, methods, models, ops, runs
from transfer_jax.ops import collective
from transfer_jax.runs import vectorised
from transfer_jax.training import fit, on_device, optim, parallel

STEPS = 3
KEY = jax.random.key(1)


# Batch norm with joint statistics, and with those of each domain.
NORMS = {'joint': models.BatchNorm, 'domains': functools.partial(models.BatchNorm, 2)}


@pytest.fixture(scope='module', params=NORMS)
def dann(request, networks):
    tx = optim.sgd(optim.constant(0.1))
    return methods.dann(
        *networks(dropout=0.0, norm=NORMS[request.param]),
        txs={'encoder': tx, 'classifier': tx, 'discriminator': tx},
        strength=optim.constant(1.0),
    )


@pytest.fixture(scope='module')
def wide(batch):
    class Stream:
        def __getitem__(self, t):
            return batch(t, 16)

    return Stream()


@pytest.fixture(scope='module')
def first(dann, wide):
    return jax.jit(dann.init)(jax.random.key(0), wide[0])


@pytest.fixture(scope='module')
def one(dann, wide, first):
    """(state, metrics) after three steps on one device."""
    step, state = jax.jit(dann.step), first
    for t in range(STEPS):
        state, metrics = step(state, wide[t], KEY)
    assert len(metrics['train/loss'].sharding.device_set) == 1
    return state, metrics


def _close(one, two, first):
    """1e-5 absolute after three steps; and the steps did move what they should."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)
    before = np.asarray(first.params['encoder']['conv_1']['kernel'])
    after = np.asarray(one[0].params['encoder']['conv_1']['kernel'])
    assert abs(after - before).max() > 1e-2


def test_there_are_eight():
    assert jax.device_count() == 8


def test_dann_on_a_sharded_batch(dann, wide, first, one):
    state, stream = parallel.shard(first, wide)
    seen = []

    def hook(t, state, metrics):
        kernel = state.params['encoder']['conv_1']['kernel']
        seen.append((metrics, len(kernel.sharding.device_set)))

    end = fit(dann, state, stream, key=KEY, steps=STEPS, hooks=[hook])
    assert seen[-1][1] == 8
    _close(one, (end, seen[-1][0]), first)


def test_dann_under_pmap(dann, wide, first, one):
    mapped, state = parallel.pmapped(dann), first
    for t in range(STEPS):
        state, metrics = mapped.step(state, wide[t], KEY)
    _close(one, (state, metrics), first)


def test_a_batch_that_does_not_divide_is_refused(dann, batch):
    few = batch(0, 12)
    state = jax.eval_shape(dann.init, jax.random.key(0), few)
    with pytest.raises(ValueError, match='12 is not divisible by 8 devices'):
        parallel.pmapped(dann).step(state, few, KEY)
    with pytest.raises(ValueError, match='12 is not divisible by 8 devices'):
        parallel.shard(state, [few])


def test_reverse_gradient_under_pmap():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)), jnp.float32)
    strength = jnp.arange(8.0) / 4

    def loss(x, strength):
        return jnp.sum(jnp.sin(ops.reverse_gradient(x, strength)))

    found = jax.pmap(jax.grad(loss))(x, strength)
    np.testing.assert_array_equal(found, -strength[:, None] * jnp.cos(x))


def test_collectives_go_over_the_devices():
    x = np.arange(8.0, dtype=np.float32)[:, None]

    def over(function):
        return np.asarray(jax.pmap(function, collective.AXIS)(x))

    np.testing.assert_array_equal(over(collective.mean), np.full((8, 1), 3.5))
    np.testing.assert_array_equal(over(collective.total), np.full((8, 1), 28.0))
    np.testing.assert_array_equal(over(collective.gather)[5], x[:, 0])


def test_dropout_differs_between_devices():
    """One key for all would give every device the same mask."""

    def draw(x):
        return jax.random.uniform(collective.own_key(KEY), (4,))

    found = np.asarray(jax.pmap(draw, collective.AXIS)(np.zeros(8)))
    assert len(np.unique(found[:, 0])) == 8


def test_data_that_lies_on_all_devices(dann, first):
    """In chunks, on eight devices as on one."""
    source = data.fake.fake_domain(0, 40, 8).train
    target = data.Images(data.fake.fake_domain(1, 40, 8).train.image)
    stream = data.zipped(
        source=data.labelled(source, batch_size=16, seed=0),
        target=data.unlabelled(target, batch_size=16, seed=0),
    ).map(data.normalise(np.full(3, 0.5)))
    state, placed = parallel.shard(first, stream, 'always')
    (image, _) = jax.tree.leaves(placed.data[0])[:2]
    assert len(image.sharding.device_set) == 8 and image.is_fully_replicated
    seen = []

    def hook(t, state, metrics):
        seen.append(metrics)

    hook.next_due = lambda step: 5
    end = fit(dann, state, placed, key=KEY, steps=5, hooks=[hook], chunk=4)
    one = fit(dann, first, on_device.place(stream, 'always'), key=KEY, steps=5, chunk=4)
    assert seen[0]['train/loss'].shape == (5,)
    _close((one,), (end,), first)


@pytest.mark.parametrize('how', ['vmap', 'unroll'])
def test_runs_over_devices_equal_single_runs(dann, batch, how):
    """Eight runs, two on each of four devices."""
    keys = jax.random.split(KEY, 8)
    rows = [batch(r) for r in range(8)]

    def whole(method):
        def run(key, batch):
            state, metrics = method.step(method.init(key, batch), batch, key)
            return state, metrics, method.predict(state, {'target': batch['target']})

        return jax.jit(run)

    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
    many = parallel.over_runs(lambda: dann, how=how, devices=4)
    found = whole(many)(*jax.device_put((keys, stacked), parallel.run_sharding(4)))
    kernel = found[0].params['encoder']['conv_1']['kernel']
    assert len(kernel.sharding.device_set) == 4
    alone, differ = whole(dann), []
    for r in (0, 3, 7):
        one = jax.tree.map(lambda leaf, r=r: leaf[r], found)
        pairs = zip(*map(jax.tree.leaves, (one, alone(keys[r], rows[r]))), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)
        differ.append(one[0].params['encoder']['conv_1']['kernel'])
    assert abs(np.asarray(differ[0]) - np.asarray(differ[1])).max() > 1e-2


def test_a_group_is_sharded_over_the_devices(tiny, tmp_path):
    """Nine seeds: eight of them at once, then one; each as in a single run."""
    seeds = tuple(range(9))
    experiment = tiny(stages=tiny().stages[:1], seeds=seeds, evaluations=1)
    run = vectorised.Run(experiment, tmp_path / 'group')
    assert vectorised.run([run], data_on_device='always', chunk=4) == {}
    runs.run(experiment._replace(seeds=(2, 8)), tmp_path / 'alone')
    for seed in (2, 8):
        of_seed = experiment.data(seed, None)
        both = [
            runs.restore(experiment, tmp_path / name, seed, of_seed).params
            for name in ('group', 'alone')
        ]
        for a, b in zip(*map(jax.tree.leaves, both), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize('where', ['never', 'always'])
def test_a_run_uses_all_devices_and_can_be_restored(tiny, tmp_path, where):
    experiment = tiny(stages=tiny().stages[:1])
    runs.run(experiment, tmp_path, data_on_device=where)
    state = runs.restore(experiment, tmp_path, 0, experiment.data(0, None))
    assert int(state.step) == 6
