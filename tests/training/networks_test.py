"""Networks for methods: keys by name, collections, domains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.training import TrainState
from transfer_jax.training import networks as tools


def test_a_network_starts_from_the_same_bits_whoever_shares_it(
    networks, batch, same_bits
):
    encoder, classifier, discriminator = networks()
    images = batch()['source']['image']
    key = jax.random.key(0)

    def init(heads):
        return jax.jit(lambda x: tools.initialise(key, encoder, heads, x))(images)

    few, _ = init({'classifier': classifier})
    many, _ = init({'discriminator': discriminator, 'classifier': classifier})
    for name in few:
        same_bits(few[name], many[name])
    kernels = (many['discriminator'], many['classifier'])
    assert not np.array_equal(*(k['hidden_1']['kernel'] for k in kernels))


def test_join_numbers_the_domains():
    batch = {
        'source': {'image': jnp.zeros((2, 4, 4, 1))},
        'target': {'image': jnp.ones((3, 4, 4, 1))},
    }
    images, domain = tools.join(batch, ['source', 'target'])
    assert images.shape == (5, 4, 4, 1)
    np.testing.assert_array_equal(domain, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(images[:, 0, 0, 0], domain)
    _, alone = tools.join(batch, ['target'])
    np.testing.assert_array_equal(alone, [1, 1, 1])


def test_statistics_move_in_training_only(networks, batch, same_bits):
    encoder, _, _ = networks()
    images = batch()['source']['image']
    params, model_state = tools.initialise(jax.random.key(0), encoder, {}, images)
    state = TrainState(jnp.zeros((), jnp.int32), params, model_state, {})

    @jax.jit
    def both(images):
        _, _, still = tools.run(encoder, state, 'encoder', images)
        _, _, moved = tools.run(
            encoder, state, 'encoder', images, train=True, key=jax.random.key(0)
        )
        return still, moved

    still, moved = both(images)
    same_bits(still, {'encoder': model_state['encoder']})
    before, after = (
        m['encoder']['batch_stats']['norm_1']['mean'] for m in (still, moved)
    )
    assert abs(after - before).max() > 1e-4


def test_unequal_sizes_are_refused_with_both():
    batch = {
        'source': {'image': jnp.zeros((2, 4, 4, 1))},
        'target': {'image': jnp.zeros((2, 5, 5, 1))},
    }
    with pytest.raises(ValueError, match=r'\(4, 4, 1\).*\(5, 5, 1\)'):
        tools.join(batch, ['source', 'target'])
