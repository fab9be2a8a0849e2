"""What every method must survive, and what it must refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.cases import CASES
from transfer_jax import losses, methods
from transfer_jax.training import optim

KEY = jax.random.key(1)
SGD = optim.sgd(optim.constant(0.05))
# The linear-time estimate pairs source with target examples.
UNEQUAL = [name for name in CASES if name != 'dan_linear']


@pytest.mark.parametrize('name', UNEQUAL)
def test_constant_images_few_targets_and_bfloat16_leave_numbers(name, networks, batch):
    """No kernel of width zero, no root of zero, no division by nothing."""
    method = CASES[name].make(*networks(dtype=jnp.bfloat16), SGD)
    given = batch()
    constant = {
        'source': {**given['source'], 'image': np.ones_like(given['source']['image'])},
        'target': {'image': np.ones_like(given['target']['image'][:5])},
    }
    state = jax.jit(method.init)(jax.random.key(0), constant)
    step = jax.jit(method.step)
    for _ in range(2):
        state, metrics = step(state, constant, KEY)
    for path, leaf in jax.tree_util.tree_leaves_with_path((state.params, metrics)):
        assert np.all(np.isfinite(leaf)), jax.tree_util.keystr(path)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state.params))


@pytest.mark.parametrize('name', CASES)
def test_images_of_unequal_size_are_refused(name, networks, batch):
    if name == 'adda':
        pytest.skip('its two encoders never see one batch')
    method = CASES[name].make(*networks(), SGD)
    both = batch()
    state = jax.eval_shape(method.init, jax.random.key(0), both)
    smaller = {'image': both['target']['image'][:, :4, :4]}
    with pytest.raises(ValueError, match='one size'):
        jax.eval_shape(method.step, state, {**both, 'target': smaller}, KEY)


@pytest.mark.parametrize('method', [methods.dan, methods.deep_coral, methods.jan])
def test_a_wrong_layer_is_refused_with_the_names_there_are(method, networks, batch):
    encoder, classifier, _ = networks()
    txs = {'encoder': SGD, 'classifier': SGD}
    made = method(
        encoder, classifier, txs=txs, weight=optim.constant(1.0), layers=['fc9']
    )
    with pytest.raises(
        ValueError, match="'fc9'; there are: conv_1, features, hidden_1"
    ):
        jax.eval_shape(made.init, jax.random.key(0), batch())


def test_a_class_that_the_target_never_shows_is_no_division_by_zero():
    logits = jnp.full((6, 4), -50.0).at[:, 0].set(50.0)  # always the first class
    for loss in (losses.class_confusion, losses.nuclear_norm):
        value, slope = jax.jit(jax.value_and_grad(loss))(logits)
        assert np.isfinite(value) and np.all(np.isfinite(slope)), loss
