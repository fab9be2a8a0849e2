"""The methods as the common tests make them: a new method adds its row to `CASES`."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import optax

from transfer_jax import losses, methods, models, ops, training
from transfer_jax.models import layers
from transfer_jax.training import optim


def _one(method, **options):
    """Of a method without a network of its own."""

    def make(encoder, classifier, discriminator, tx, weight=1.0):
        return method(
            encoder,
            classifier,
            txs={'encoder': tx, 'classifier': tx},
            weight=optim.constant(weight),
            **options,
        )

    return make


def _discriminator(method, name='weight', network='discriminator', **options):
    """Of a method with a discriminator."""

    def make(encoder, classifier, discriminator, tx, weight=1.0):
        if network == 'discriminators':
            discriminator = models.ClassDiscriminators((8,))
        return method(
            encoder,
            classifier,
            discriminator,
            txs={'encoder': tx, 'classifier': tx, network: tx},
            **{name: optim.constant(weight)},
            **options,
        )

    return make


def _supervised(encoder, classifier, discriminator, tx, weight=0.0):
    return methods.supervised(
        encoder, classifier, txs={'encoder': tx, 'classifier': tx}
    )


def _fine_tuning(encoder, classifier, discriminator, tx, weight=1.0):
    return methods.fine_tuning(
        encoder,
        classifier,
        txs={'encoder': tx, 'classifier': tx},
        alpha=optim.constant(weight),
        beta=optim.constant(weight),
    )


def _frozen(encoder, classifier, discriminator, tx, weight=1.0):
    """Fine-tuning of all but the first convolution."""
    return methods.fine_tuning(
        encoder,
        classifier,
        txs={'encoder': optim.freeze(tx, ['conv_1/.*']), 'classifier': tx},
    )


def _multi_task(fixed):
    """Of the labels, and of whether they are odd, which some examples do not say."""

    def make(encoder, classifier, discriminator, tx, weight=1.0):
        weights = {
            'classifier': optim.constant(1.0),
            'odd': optim.constant(weight),
        }
        names = ('encoder', 'classifier', 'odd', 'uncertainty')
        method = methods.multi_task(
            encoder,
            {'classifier': classifier, 'odd': models.Classifier(2, (8,))},
            txs={name: tx for name in names[: 3 if fixed else 4]},
            weights=weights if fixed else None,
        )

        def both(batch):
            label = batch['source']['label']
            labels = {'classifier': label, 'odd': jnp.where(label < 3, label % 2, -1)}
            return {'source': {'image': batch['source']['image'], 'labels': labels}}

        return methods.of_task(method, 'classifier')._replace(
            init=lambda key, batch: method.init(key, both(batch)),
            step=lambda state, batch, key: method.step(state, both(batch), key),
        )

    return make


def _adda(encoder, classifier, discriminator, tx, weight=1.0):
    return methods.adda(
        encoder, classifier, discriminator, txs={'encoder': tx, 'discriminator': tx}
    )


def _wdgrl(encoder, classifier, discriminator, tx, weight=1.0):
    return methods.wdgrl(
        encoder,
        classifier,
        models.Discriminator((8,)),  # without dropout
        txs={'encoder': tx, 'classifier': tx, 'critic': tx},
        weight=optim.constant(weight),
        critic_steps=2,
    )


def _mcd(encoder, classifier, discriminator, tx, weight=1.0):
    return methods.mcd(
        encoder,
        classifier,
        txs={'encoder': tx, 'classifier': tx, 'second': tx},
        weight=optim.constant(weight),
        encoder_steps=2,
    )


def _dsn(by_discriminator=True):
    def make(encoder, classifier, discriminator, tx, weight=1.0):
        names = ['encoder', 'classifier', 'private_source', 'private_target', 'decoder']
        return methods.dsn(
            encoder,
            classifier,
            encoder,  # of the same make; its parameters are its own
            models.DigitDecoder((8, 8, 3), (4, 4)),
            discriminator if by_discriminator else None,
            txs={name: tx for name in names + ['discriminator'] * by_discriminator},
            weight=optim.constant(weight),
        )

    return make


def _beyond_sharing_weights(encoder, classifier, discriminator, tx, weight=1.0):
    names = ['encoder', 'classifier', 'target_encoder']
    slow = optax.chain(tx, optax.scale(1e-3))
    return methods.beyond_sharing_weights(
        encoder,
        classifier,
        txs={**{name: tx for name in names}, 'maps': slow},
        weight=optim.constant(weight),
        width=None,
    )


def _residual_transfer(encoder, classifier, discriminator, tx, weight=1.0):
    names = ['encoder', 'classifier', 'discriminator', 'residual']
    return methods.residual_transfer(
        encoder,
        classifier,
        discriminator,
        txs={name: tx for name in names},
        weight=optim.constant(weight),
        rate=optim.constant(0.05),
        rank=4,
    )


class MapEncoder(nn.Module):
    """A feature map, with statistics and dropout."""

    dropout: float = 0.5

    @nn.compact
    def __call__(self, x, *, train, domain=None):
        x = layers.Conv(6, 3, 2, 'SAME', name='conv')(x)
        x = models.BatchNorm(name='norm')(x, train=train, domain=domain)
        x = nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x))
        return x, {'conv': x}


def _image_labels(encoder, classifier, discriminator, tx, weight=1.0):
    head = models.ScoreMaps(
        4, functools.partial(ops.weldon, highest=2, lowest=2), per_class=2
    )
    return methods.image_labels(
        MapEncoder(classifier.dropout),
        head,
        loss=losses.cross_entropy,
        txs={'encoder': tx, 'head': tx},
    )


def _pronet(encoder, classifier, discriminator, tx, weight=1.0):
    """Its images are boxes; here each image is its one box."""
    method = methods.pronet(
        MapEncoder(classifier.dropout),
        models.ScoreMaps(4),
        loss=losses.cross_entropy,
        pool=ops.global_max,
        txs={'encoder': tx, 'head': tx},
    )

    def boxes(batch):
        return {k: {**v, 'image': v['image'][:, None]} for k, v in batch.items()}

    def predict(state, batch):
        answers = method.predict(state, boxes(batch))
        return {k: {**v, 'features': v['boxes']} for k, v in answers.items()}

    return training.Method(
        lambda key, batch: method.init(key, boxes(batch)),
        lambda state, batch, key: method.step(state, boxes(batch), key),
        predict,
    )


def _segmentation(encoder, classifier, discriminator, tx, weight=1.0):
    """Every pixel has the label of its image."""
    network = models.FCN(MapEncoder(classifier.dropout), 4)
    method = methods.segmentation(network, txs={'segmenter': tx})

    def pixels(batch):
        image, label = batch['source']['image'], batch['source']['label']
        every = jnp.broadcast_to(label[:, None, None], image.shape[:3])
        return {'source': {'image': image, 'label': every}}

    def predict(state, batch):
        return {
            k: {'logits': v['logits'].mean((1, 2)), 'features': v['logits']}
            for k, v in method.predict(state, batch).items()
        }

    return training.Method(
        lambda key, batch: method.init(key, pixels(batch)),
        lambda state, batch, key: method.step(state, pixels(batch), key),
        predict,
    )


class Case(NamedTuple):
    make: Callable  # (encoder, classifier, discriminator, tx, weight) -> Method
    moves: tuple[str, ...]  # the networks that its paper moves, all of them
    phases: tuple[str, ...] = ('train',)
    weighted: bool = True  # weight 0 is source only


ENCODER = ('classifier', 'encoder')
DSN = ('classifier', 'decoder', 'encoder', 'private_source', 'private_target')
DISCRIMINATOR = ('classifier', 'discriminator', 'encoder')

CASES = {
    'supervised': Case(_supervised, ENCODER),
    'fine_tuning': Case(_fine_tuning, ENCODER),
    'fine_tuning_frozen': Case(_frozen, ENCODER, weighted=False),
    # A target takes no part in it: tests/methods shows that weight 0 is source only.
    'multi_task': Case(
        _multi_task(fixed=True), ('classifier', 'encoder', 'odd'), weighted=False
    ),
    'multi_task_uncertainty': Case(
        _multi_task(fixed=False),
        ('classifier', 'encoder', 'odd', 'uncertainty'),
        weighted=False,
    ),
    'ddc': Case(_one(methods.ddc), ENCODER),
    'dan': Case(_one(methods.dan), ENCODER),
    'dan_unbiased': Case(_one(methods.dan, estimator=losses.mmd_unbiased), ENCODER),
    'dan_linear': Case(_one(methods.dan, estimator=losses.mmd_linear), ENCODER),
    'jan': Case(_one(methods.jan), ENCODER),
    'deep_coral': Case(_one(methods.deep_coral, layers=['logits', 'conv_1']), ENCODER),
    'cmd': Case(_one(methods.cmd), ENCODER),
    'deep_jdot': Case(_one(methods.deep_jdot, feature_weight=0.1), ENCODER),
    'deep_jdot_through': Case(_one(methods.deep_jdot, through=True), ENCODER),
    'entropy_minimization': Case(_one(methods.entropy_minimization), ENCODER),
    'mcc': Case(_one(methods.mcc), ENCODER),
    'bnm': Case(_one(methods.bnm), ENCODER),
    'self_training': Case(_one(methods.self_training, threshold=0.0), ENCODER),
    'dann': Case(_discriminator(methods.dann, 'strength'), DISCRIMINATOR),
    'domain_confusion': Case(
        _discriminator(methods.domain_confusion),
        DISCRIMINATOR,
        ('discriminator', 'train'),
    ),
    'cdan': Case(_discriminator(methods.cdan, 'strength'), DISCRIMINATOR),
    'cdan_e': Case(
        _discriminator(methods.cdan, 'strength', by_entropy=True, random_width=16),
        DISCRIMINATOR,
    ),
    'mada': Case(
        _discriminator(methods.mada, 'strength', 'discriminators'),
        ('classifier', 'discriminators', 'encoder'),
    ),
    'wdgrl': Case(
        _wdgrl, ('classifier', 'critic', 'encoder'), ('critic', 'encode', 'train')
    ),
    'mcd': Case(
        _mcd,
        ('classifier', 'encoder', 'second'),
        ('agree', 'disagree', 'train'),
    ),
    'dsn': Case(_dsn(), tuple(sorted((*DSN, 'discriminator')))),
    'dsn_mmd': Case(_dsn(by_discriminator=False), DSN),
    # Streams of their own batch statistics: tests/methods shows that weight 0 is source
    # only on a batch without a target.
    'beyond_sharing_weights': Case(
        _beyond_sharing_weights,
        ('classifier', 'encoder', 'maps', 'target_encoder'),
        weighted=False,
    ),
    'residual_transfer': Case(
        _residual_transfer,
        ('classifier', 'discriminator', 'encoder', 'residual'),
        weighted=False,
    ),
    'image_labels': Case(_image_labels, ('encoder', 'head'), weighted=False),
    'pronet': Case(_pronet, ('encoder', 'head'), weighted=False),
    'segmentation': Case(_segmentation, ('segmenter',), weighted=False),
    'adda': Case(
        _adda,
        ('discriminator', 'encoder'),
        ('discriminator', 'encoder'),
        weighted=False,
    ),
}
