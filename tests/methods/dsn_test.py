"""Domain separation networks: private and shared features, and their predictions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import methods, models
from transfer_jax.training import optim

KEY = jax.random.key(1)
NAMES = (
    'encoder',
    'classifier',
    'private_source',
    'private_target',
    'decoder',
    'discriminator',
)


class Dense(nn.Module):
    """An encoder that compiles fast."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = nn.tanh(nn.Dense(6, name='dense')(x.reshape(len(x), -1)))
        return x, {'dense': x}


class Decoder(nn.Module):
    """A decoder that compiles fast."""

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        return nn.Dense(192, name='dense')(x).reshape(-1, 8, 8, 3), {}


@pytest.fixture(scope='module')
def make(networks):
    """make(by_discriminator, encoder, **options) -> the method, without dropout."""

    def make(
        by_discriminator=True,
        encoder=None,
        decoder=None,
        rate=0.05,
        weight=1.0,
        **options,
    ):
        _, classifier, discriminator = networks(0.0, None)
        encoder = encoder or Dense()
        tx = optim.sgd(optim.constant(rate), momentum=0.0)
        return methods.dsn(
            encoder,
            classifier,
            encoder,
            decoder or Decoder(),
            discriminator if by_discriminator else None,
            txs={name: tx for name in NAMES[: 5 + by_discriminator]},
            weight=optim.constant(weight),
            **options,
        )

    return make


def test_the_difference_loss_separates_private_from_shared(make, train_on, batch):
    parts = {'alpha': 0.0, 'gamma': 0.0}
    _, with_it = train_on(make(False, beta=20.0, **parts), batch(0, 256), 40)
    _, without = train_on(make(False, beta=0.0, **parts), batch(0, 256), 40)
    key = 'train/correlation'
    assert with_it[0][key] == without[0][key]
    assert with_it[-1][key] < 0.7 * without[-1][key]
    assert with_it[-1]['train/difference'] < 0.5 * with_it[0]['train/difference']


def test_the_decoder_learns_both_domains_from_shared_plus_private(
    make, train_on, batch
):
    parts = {'beta': 0.0, 'gamma': 0.0}
    _, seen = train_on(make(False, alpha=2.0, rate=0.1, **parts), batch(0, 16), 40)
    before, after = (one['train/reconstruction'] for one in (seen[0], seen[-1]))
    assert after < 0.9 * before


def test_each_domain_has_its_own_private_encoder(make, batch):
    """Target images train only the target's; both domains train the shared encoder."""
    method = make(alpha=1.0)
    both = batch()
    state = jax.jit(method.init)(jax.random.key(0), both)
    first = [state.params[f'private_{domain}'] for domain in ('source', 'target')]
    kernels = [params['dense']['kernel'] for params in first]
    assert abs(kernels[0] - kernels[1]).max() > 1e-2  # from different first bits
    step = jax.jit(method.step)
    one, _ = step(state, both, KEY)
    other, _ = step(
        state, {**both, 'target': {'image': both['target']['image'] + 1}}, KEY
    )
    jax.tree.map(
        np.testing.assert_array_equal,
        one.params['private_source'],
        other.params['private_source'],
    )
    for name in ('private_target', 'encoder', 'decoder'):
        moved = jax.tree.map(
            lambda a, b: abs(a - b).max(), *(s.params[name] for s in (one, other))
        )
        assert max(jax.tree.leaves(moved)) > 1e-6, name


def test_mmd_alone_brings_the_shared_features_together(make, train_on, batch):
    parts = {'alpha': 0.0, 'beta': 0.0}
    _, seen = train_on(make(False, gamma=2.0, **parts), batch(0, 16), 20)
    assert seen[-1]['train/similarity'] < 0.8 * seen[0]['train/similarity']


def test_the_private_features_do_not_enter_predictions(make, batch):
    method = make()
    state = jax.jit(method.init)(jax.random.key(0), batch())
    broken = {name: jax.tree.map(jnp.zeros_like, p) for name, p in state.params.items()}
    intact = {name: state.params[name] for name in ('encoder', 'classifier')}
    images = {'target': {'image': batch()['target']['image']}}
    predict = jax.jit(method.predict)
    one, other = (
        predict(state.replace(params=params), images)
        for params in (state.params, {**broken, **intact})
    )
    np.testing.assert_array_equal(one['target']['logits'], other['target']['logits'])


@pytest.mark.parametrize('by_discriminator', [True, False])
def test_constant_images_give_finite_training(make, batch, by_discriminator):
    flat = jax.tree.map(lambda x: np.ones_like(x), batch())
    method = make(by_discriminator)
    state = jax.jit(method.init)(jax.random.key(0), flat)
    state, metrics = jax.jit(method.step)(state, flat, KEY)
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    assert metrics['train/correlation'] == 0


def test_half_precision_encoders(make, batch):
    encoder = models.SmallNet(2, dtype=jnp.bfloat16)
    decoder = models.DigitDecoder((8, 8, 3), (4, 4), dtype=jnp.bfloat16)
    method = make(True, encoder, decoder)
    state = jax.jit(method.init)(jax.random.key(0), batch())
    new, metrics = jax.jit(method.step)(state, batch(), KEY)
    for name, value in metrics.items():
        assert value.dtype == jnp.float32 and np.isfinite(value), name
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(new.params))


def test_networks_that_do_not_fit_are_refused(make, networks, batch):
    with pytest.raises(ValueError, match=r'decoder gives images \(8, 6, 8, 3\)'):
        jax.eval_shape(
            make(decoder=models.DigitDecoder((6, 8, 3), (4, 4))).init, KEY, batch()
        )
    encoder, classifier, _ = networks()
    tx = optim.sgd(optim.constant(0.1))
    method = methods.dsn(
        encoder,
        classifier,
        models.SmallNet(2),
        models.DigitDecoder((8, 8, 3)),
        txs={name: tx for name in NAMES[:5]},
        weight=optim.constant(1.0),
    )
    with pytest.raises(ValueError, match='their sizes must be equal'):
        jax.eval_shape(method.init, KEY, batch())


def test_without_weight_nothing_else_moves(make, batch, same_bits):
    method = make(weight=0.0)
    state = jax.jit(method.init)(jax.random.key(0), batch())
    new, _ = jax.jit(method.step)(state, batch(), KEY)
    for name in ('private_source', 'private_target', 'decoder', 'discriminator'):
        same_bits(state.params[name], new.params[name])
