"""Matrix products of losses, kernels and geometry are exact on every backend.

The precision of a product is a parameter of its equation, so a CPU can check what a GPU
would do.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.products import precisions
from transfer_jax import losses, models, ops

N, D, C = 6, 12, 4
EXACT = (lax.Precision.HIGHEST,) * 2


def _kernel(x, y):
    return ops.multi_kernel(jnp.concatenate([x, y]))


def _transport(x, y):
    cost = losses.jdot_cost(
        x, y, jnp.arange(N) % C, y[:, :C], feature_weight=1.0, label_weight=1.0
    )
    return losses.transport_cost(cost, through=True)


def _entropic(x, y):
    share = jnp.full(N, 1 / N)
    cost = ops.squared_distances(x, y)
    return ops.entropic_plan(cost, share, share, regularisation=1.0).matrix


def _norm(x, y):
    layer = models.BatchNorm(domains=2)
    both, domain = jnp.concatenate([x, y]), np.arange(2 * N) // N
    variables = layer.init(jax.random.key(0), both, train=False)
    return layer.apply(
        variables, both, train=True, domain=domain, mutable=['batch_stats']
    )[0]


# {name: f(x, y) of arrays (N, D)}: all public functions with a matrix product
FUNCTIONS = {
    'coral': losses.coral,
    'coral, more dimensions than examples': lambda x, y: losses.coral(x[:3], y[:3]),
    'difference': losses.difference,
    'mmd': lambda x, y: losses.mmd_unbiased(x, y, kernel=_kernel(x, y)),
    'joint_mmd': lambda x, y: losses.joint_mmd([x], [y], kernels=[_kernel(x, y)]),
    'random_multilinear': lambda x, y: losses.random_multilinear(
        x, jax.nn.softmax(y[:, :C]), maps=(jnp.ones((D, 5)), jnp.ones((C, 5)))
    ),
    'minimum_class_confusion': lambda x, y: losses.minimum_class_confusion(y[:, :C]),
    'nuclear_norm': lambda x, y: losses.nuclear_norm(y[:, :C]),
    'jdot': _transport,
    'entropic_plan': _entropic,
    'mutual_information': lambda x, y: ops.mutual_information(y[:, :C]),
    'cross_correlation': ops.cross_correlation,
    'squared_distances': ops.squared_distances,
    'linear_kernel': ops.linear_kernel,
    'class_activation_maps': lambda x, y: ops.class_activation_maps(
        x.reshape(1, 2, 3, D), y[:C].T
    ),
    'crop_and_zoom': lambda x, y: ops.crop_and_zoom(
        x.reshape(1, N, D, 1), jnp.array([[[0.1, 0.2, 0.8, 0.9]]]), (3, 3)
    ),
    'average_pool': lambda x, y: ops.average_pool(x.reshape(1, N, D, 1), 4),
    'batch norm': _norm,
}


def _sum(function, x, y):
    return jnp.sum(jnp.square(function(x, y)))


@pytest.mark.parametrize('name', FUNCTIONS)
def test_value_and_gradient_have_exact_products(name):
    """Also where the networks around have another precision."""
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(2, N, D)), jnp.float32)
    function = functools.partial(_sum, FUNCTIONS[name])
    for of_networks in (None, 'default'):
        with jax.default_matmul_precision(of_networks):
            for traced in (function, jax.grad(function, (0, 1))):
                assert precisions(traced, x, y) <= {EXACT}
    assert np.isfinite(jax.jit(function)(x, y))


def test_networks_keep_the_default():
    module = models.Classifier(C)
    variables = module.init(jax.random.key(0), jnp.ones((2, D)), train=False)

    def forward(x):
        return module.apply(variables, x, train=False)[0]

    assert precisions(forward, jnp.ones((2, D))) == {None}
