"""The precision of networks: what is traced after the choice, on which backend."""

import concurrent.futures

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.products import precisions
from transfer_jax import losses, models
from transfer_jax.training import precision

pytestmark = pytest.mark.usefixtures('default_precision')
EXACT = (lax.Precision.HIGHEST,) * 2
PRECISIONS = {
    'highest': EXACT,
    'high': (lax.Precision.HIGH,) * 2,
    'default': (lax.Precision.DEFAULT,) * 2,
}


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')


class Net(nn.Module):
    """A convolution and a dense layer."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x):
        x = models.Conv(4, 3, dtype=self.dtype, name='conv')(x)
        return nn.Dense(3, dtype=self.dtype)(x.reshape(len(x), -1))


X = np.random.default_rng(0).normal(size=(4, 5, 5, 3)).astype(np.float32)


def _passes(dtype=jnp.float32):
    """(the forward pass, value and gradient), functions of the parameters."""
    net = Net(dtype)
    variables = net.init(jax.random.key(0), X)

    def forward(variables):
        return net.apply(variables, X)

    def loss(variables):
        return jnp.sum(jnp.square(forward(variables)))

    return variables, (forward, jax.value_and_grad(loss))


@pytest.mark.parametrize('name', PRECISIONS)
def test_networks_have_the_precision_that_is_chosen(gpu, name):
    variables, traced = _passes()
    precision.choose(name)
    assert precision.current() == name
    for function in traced:
        assert precisions(function, variables) == {PRECISIONS[name]}


def test_without_a_choice_they_are_exact_on_an_accelerator(gpu):
    variables, traced = _passes()
    assert precision.current() == 'default'  # of a script that chooses nothing
    assert precisions(traced[0], variables) == {None}
    precision.choose()
    assert precision.current() == 'highest'
    for function in traced:
        assert precisions(function, variables) == {EXACT}


def test_what_jax_was_told_before_stays_until_another_is_chosen(gpu):
    jax.config.update('jax_default_matmul_precision', 'tensorfloat32')
    precision.choose()
    assert precision.current() == 'tensorfloat32'
    precision.choose('highest')
    assert precision.current() == 'highest'


def test_other_threads_see_it(gpu):
    variables, (forward, _) = _passes()
    precision.choose('high')
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        found = pool.submit(precisions, forward, variables).result()
    assert found == {PRECISIONS['high']}


@pytest.mark.parametrize('name', ['', *PRECISIONS])
def test_losses_stay_exact(gpu, name):
    precision.choose(name)
    x, y = jnp.ones((2, 6, 4))
    for function in (losses.coral, jax.grad(losses.coral)):
        assert precisions(function, x, y) == {EXACT}


@pytest.mark.parametrize('name', ['', *PRECISIONS])
def test_on_cpu_no_program_changes(monkeypatch, name):
    monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
    variables, (forward, _) = _passes()
    before = jax.jit(forward).lower(variables).as_text()
    precision.choose(name)
    assert jax.config.jax_default_matmul_precision is None
    assert jax.jit(forward).lower(variables).as_text() == before
    assert precision.current() == 'highest'


def test_networks_of_bfloat16_stay_as_they_are(gpu):
    """Operands and results keep their type, and on CPU every bit."""
    variables, (forward, _) = _passes(jnp.bfloat16)
    before = jax.make_jaxpr(forward)(variables)
    bits = np.asarray(jax.jit(forward)(variables))
    precision.choose('highest')
    after = jax.make_jaxpr(forward)(variables)
    assert precisions(forward, variables) == {EXACT}
    types = [
        [variable.aval.dtype for variable in (*equation.invars, *equation.outvars)]
        for equation in after.jaxpr.eqns
    ]
    assert types == [
        [variable.aval.dtype for variable in (*equation.invars, *equation.outvars)]
        for equation in before.jaxpr.eqns
    ]
    np.testing.assert_array_equal(np.asarray(jax.jit(forward)(variables)), bits)


def test_an_unknown_name_is_refused_with_the_choices():
    message = "no --precision 'tf32'; choose from highest, high, default"
    for function in (precision.check, precision.choose):
        with pytest.raises(ValueError, match=message):
            function('tf32')
