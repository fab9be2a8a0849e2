"""A loss of a batch on eight devices is that on one.

With rows sharded under jit, and with features gathered under pmap.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import losses, ops
from transfer_jax.ops import collective
from transfer_jax.training import parallel

ROWS, D, C = 16, 40, 6  # CORAL of features and of logits: its two branches


def _multi(estimator, s, t):
    return estimator(s, t, kernel=ops.multi_kernel(jnp.concatenate([s, t])))


def _joint(s, t):
    layers = [s, jax.nn.softmax(s[:, :C])], [t, jax.nn.softmax(t[:, :C])]
    widths = [
        ops.multi_kernel(jnp.concatenate(pair)) for pair in zip(*layers, strict=True)
    ]
    return losses.joint_mmd(*layers, kernels=widths)


def _transport(s, t, through=False):
    cost = losses.jdot_cost(
        s, t, _label(s), t[:, :C], feature_weight=0.1, label_weight=1.0
    )
    return losses.transport_cost(cost, through=through)


def _label(s):
    return jnp.argmax(s[:, -C:], -1)


def _weighted(s, t):
    """CDAN+E's: weights of mean one over the batch."""
    weight = losses.certainty(jax.nn.softmax(t[:, :C]))
    weight = weight / jnp.mean(weight)
    return jnp.mean(weight * losses.binary_cross_entropy(t[:, -1], 1.0))


def _sum(loss):
    """Of losses whose terms differ in sign: those of each sample against nothing."""
    return lambda s, t: loss(s, jnp.zeros_like(t)) + loss(jnp.zeros_like(s), t)


# {name: (loss, sum of the magnitudes of its terms, whether devices could be averaged)}
LOSSES = {
    'mmd_biased': (functools.partial(_multi, losses.mmd_biased), 4.0, False),
    'mmd_unbiased': (functools.partial(_multi, losses.mmd_unbiased), 4.0, False),
    'mmd_linear': (functools.partial(_multi, losses.mmd_linear), 4.0, False),
    'joint_mmd': (_joint, 4.0, False),
    'coral': (losses.coral, _sum(losses.coral), False),
    'coral_logits': (
        lambda s, t: losses.coral(s[:, :C], t[:, :C]),
        _sum(lambda s, t: losses.coral(s[:, :C], t[:, :C])),
        False,
    ),
    'cmd': (losses.cmd, _sum(losses.cmd), False),
    'transport_cost': (_transport, None, False),
    'transport_through': (functools.partial(_transport, through=True), None, False),
    'minimum_class_confusion': (
        lambda s, t: losses.minimum_class_confusion(t[:, :C]),
        None,
        False,
    ),
    'nuclear_norm': (lambda s, t: losses.nuclear_norm(t[:, :C]), None, False),
    'difference': (losses.difference, None, False),
    'weighted_bce': (_weighted, None, False),
    'mutual_information': (
        lambda s, t: ops.mutual_information(t[:, :C]),
        2 * np.log(C),
        False,
    ),
    'wasserstein': (
        lambda s, t: losses.wasserstein(s[:, 0], t[:, 0]),
        lambda s, t: jnp.mean(jnp.abs(s[:, 0])) + jnp.mean(jnp.abs(t[:, 0])),
        True,
    ),
    'entropy': (lambda s, t: jnp.mean(ops.entropy(t[:, :C])), None, True),
}
each = pytest.mark.parametrize('name', LOSSES)


def _all(s, t):
    """{name: (value, gradients)}: one program for all, soon compiled."""
    return {
        name: jax.value_and_grad(loss, (0, 1))(s, t)
        for name, (loss, _, _) in LOSSES.items()
    }


def _gathered(s, t):
    """As methods do; a device's gradient is that of the sum of all devices' losses."""

    def of(loss):
        return lambda s, t: loss(collective.gather(s), collective.gather(t))

    return {
        name: jax.value_and_grad(of(loss), (0, 1))(s, t)
        for name, (loss, _, _) in LOSSES.items()
    }


def _on_each(rows):
    return rows.reshape(8, ROWS // 8, D)


class Found:
    """All losses on one device, sharded and gathered."""

    def __init__(self, dtype):
        rng = np.random.default_rng(0)
        with jax.enable_x64(dtype == np.float64):
            s = jnp.asarray(rng.normal(size=(ROWS, D)), dtype)
            t = jnp.asarray(rng.normal(0.5, 1.5, (ROWS, D)), dtype)
            self.one = jax.device_get(jax.jit(_all)(s, t))
            rows = parallel.row_sharding(parallel.mesh())
            many = jax.device_put((s, t), rows)
            assert len(many[0].sharding.device_set) == 8
            self.sharded = jax.device_get(jax.jit(_all)(*many))
            mapped = jax.pmap(_gathered, collective.AXIS)(_on_each(s), _on_each(t))
            self.gathered = jax.device_get(mapped)
            self.magnitude = {
                name: float(size(s, t)) if callable(size) else size
                for name, (_, size, _) in LOSSES.items()
            }

    def ways(self, name):
        """(value, gradients) of the sharded and of the gathered batch."""
        yield self.sharded[name]
        values, gradients = self.gathered[name]
        np.testing.assert_array_equal(values, values[0])  # the same on each device
        yield values[0], tuple(g.reshape(ROWS, D) / 8 for g in gradients)


double = pytest.fixture(scope='module')(lambda: Found(np.float64))
single = pytest.fixture(scope='module')(lambda: Found(np.float32))


@each
def test_in_float64(double, name):
    expected, gradients = double.one[name]
    assert expected.dtype == np.float64
    assert max(abs(gradient).max() for gradient in gradients) > 1e-5
    for value, found in double.ways(name):
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-10)
        for a, b in zip(found, gradients, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@each
def test_in_float32(single, name):
    """Within 1e-6 of the sum of its terms' magnitudes, gradients 1e-5 in norm."""
    expected, gradients = single.one[name]
    assert expected.dtype == np.float32
    magnitude = single.magnitude[name] or abs(expected)
    for value, found in single.ways(name):
        assert abs(value - expected) <= 1e-6 * magnitude
        for a, b in zip(found, gradients, strict=True):
            assert np.linalg.norm(a - b) <= 1e-5 * max(np.linalg.norm(b), 1.0)


def test_the_average_of_the_devices_own_values_is_another_number(double):
    """So nothing above would hold without gathering."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        s = jnp.asarray(rng.normal(size=(ROWS, D)))
        t = jnp.asarray(rng.normal(0.5, 1.5, (ROWS, D)))
        own = {name: loss for name, (loss, _, _) in LOSSES.items()}
        values = jax.jit(
            jax.vmap(lambda s, t: {name: loss(s, t) for name, loss in own.items()})
        )(_on_each(s), _on_each(t))
        values = jax.device_get(values)
    for name, (_, _, separable) in LOSSES.items():
        expected = double.one[name][0]
        gap = abs(np.mean(values[name]) - expected)
        assert (gap < 1e-10) if separable else (gap > 1e-3 * abs(expected)), name
