"""What some methods must survive or refuse; common_test.py has what all must."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.methods.cases import CASES
from transfer_jax import data, losses, methods
from transfer_jax.recipes import networks as named
from transfer_jax.training import optim

KEY = jax.random.key(1)
SGD = optim.sgd(optim.constant(0.05))


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
    for loss in (losses.minimum_class_confusion, losses.nuclear_norm):
        value, slope = jax.jit(jax.value_and_grad(loss))(logits)
        assert np.isfinite(value) and np.all(np.isfinite(slope)), loss


@pytest.mark.parametrize('norm', named.NORMS)
def test_every_norm_policy_trains_and_predicts(norm, networks, batch):
    """The policy is a value of the network; the method does not know it."""
    method = CASES['dann'].make(*networks(0.0, named.NORMS[norm]), SGD)
    state = jax.jit(method.init)(jax.random.key(0), batch())
    after, metrics = jax.jit(method.step)(state, batch(), KEY)
    assert np.isfinite(metrics['train/loss'])
    image = batch()['target']['image']
    answers = jax.jit(method.predict)(
        after, {name: {'image': image} for name in ('source', 'target')}
    )
    apart = abs(answers['source']['logits'] - answers['target']['logits']).max()
    # The same image by the statistics of either domain.
    assert (apart > 1e-4) == (norm in ('separate', 'adabn', 'dsbn', 'autodial'))


def test_a_hundred_source_images_against_sixty_thousand():
    few = data.Arrays(
        np.zeros((100, 2, 2, 1), np.uint8), np.arange(100, dtype=np.int32)
    )
    many = data.Images(np.zeros((60_000, 2, 2, 1), np.uint8))
    stream = data.zipped(
        source=data.labelled(few, batch_size=32, seed=0, name='source'),
        target=data.unlabelled(many, batch_size=32, seed=0, name='target'),
    )
    seen = np.concatenate([stream[t]['source']['label'] for t in range(3)])
    assert len(set(seen)) == 96  # an epoch of whole batches, each image once
    assert stream[2_000]['target']['image'].shape == (32, 2, 2, 1)
