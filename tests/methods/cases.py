"""The methods that the common tests run over.

A method of adaptation has its case from its row in recipes.RECIPES, with tiny networks
and plain optimisers. Variants of one, and methods of other kinds, are added below.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from transfer_jax import losses, methods, models, ops, recipes, training
from transfer_jax.models import layers
from transfer_jax.recipes.networks import Networks
from transfer_jax.training import optim

ENCODER = ('classifier', 'encoder')
TOWERS = ('encoder', 'names', 'projection')


class Case(NamedTuple):
    """A method as the common tests make it."""

    make: Callable  # (encoder, classifier, discriminator, tx, weight) -> Method
    trains: tuple[str, ...] = ENCODER  # all networks that its paper trains
    phases: tuple[str, ...] = ('train',)
    source_only_at_zero: bool = True


def _txs(names, tx):
    """An optimiser for each network."""
    txs = {name: tx for name in names}
    if 'maps' in txs:  # plain descent diverges at the rate of the others
        txs['maps'] = optax.chain(tx, optax.scale(1e-3))
    return txs


def _case(recipe: recipes.Recipe, **options) -> Case:
    """A recipe with tiny networks; `options` replace its own."""
    recipe = recipe._replace(options={**recipe.options, **options})

    def make(encoder, classifier, discriminator, tx, weight=1.0):
        nets = Networks(
            encoder,
            classifier,
            discriminator,
            decoder=models.DigitDecoder((8, 8, 3), (4, 4)),
            critic=models.Discriminator((8,)),
            discriminators=models.ClassDiscriminators((8,)),
        )
        return recipe.make(nets, _txs(recipe.trained, tx), optim.constant(weight))

    trains = tuple(sorted(recipe.trained))
    return Case(make, trains, recipe.phases, recipe.source_only_at_zero)


def _fine_tuning(encoder, classifier, discriminator, tx, weight=1.0):
    return methods.fine_tuning(
        encoder,
        classifier,
        txs=_txs(ENCODER, tx),
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
            txs=_txs(names[: 3 if fixed else 4], tx),
            weights=weights if fixed else None,
        )

        def both(batch):
            label = batch['source']['label']
            labels = {'classifier': label, 'odd': jnp.where(label < 3, label % 2, -1)}
            return {'source': {'image': batch['source']['image'], 'labels': labels}}

        return methods.single_task(method, 'classifier')._replace(
            init=lambda key, batch: method.init(key, both(batch)),
            step=lambda state, batch, key: method.step(state, both(batch), key),
        )

    return make


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
        txs=_txs(('encoder', 'head'), tx),
    )


def _pronet(encoder, classifier, discriminator, tx, weight=1.0):
    """Its images are boxes; here each image is its one box."""
    method = methods.pronet(
        MapEncoder(classifier.dropout),
        models.ScoreMaps(4),
        loss=losses.cross_entropy,
        pool=ops.global_max,
        txs=_txs(('encoder', 'head'), tx),
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
    method = methods.segmentation(network, txs=_txs(('segmenter',), tx))

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


def _two_towers(encoder, classifier, discriminator, tx, weight=1.0):
    embedding = models.Classifier(6, (8,), classifier.dropout)
    return methods.two_towers(
        encoder,
        embedding,
        embedding,
        vectors=np.eye(4, 5),
        txs=_txs(TOWERS, tx),
    )


# Arguments for the tests alone: fewer steps to compile, and losses that are not zero on
# networks that have learned nothing.
OPTIONS = {
    'dsbn': {'mixing': optim.constant(0.5)},
    'deep_coral': {'layers': ['logits', 'conv_1']},
    'cdan_e': {'random_width': 16},
    'wdgrl': {'critic_steps': 2},
    'mcd': {'encoder_steps': 2},
    'residual_transfer': {'rate': optim.constant(0.05), 'rank': 4, 'rank_weight': 0.01},
    'self_training': {'threshold': 0.0},
}


def _adaptation() -> dict[str, Case]:
    """A case for each recipe, but a single one for those that differ in the norm only.

    The test of all norm policies is in robustness_test.py.
    """
    cases, known = {}, []
    by_norm = sorted(recipes.RECIPES.items(), key=lambda item: item[1].norm != 'none')
    for name, recipe in by_norm:
        if (recipe.method, recipe.options) not in known:
            known.append((recipe.method, recipe.options))
            cases[name] = _case(recipe, **OPTIONS.get(name, {}))
    return cases


_DSN = recipes.get('dsn')
CASES = {
    **_adaptation(),
    'dan_biased': _case(recipes.get('dan'), estimator=losses.mmd_biased),
    'dan_linear': _case(recipes.get('dan'), estimator=losses.mmd_linear),
    'deep_jdot_through': _case(recipes.get('deep_jdot'), through=True),
    'dsn_mmd': _case(
        _DSN._replace(
            modules=_DSN.modules[:-1],
            trains=tuple(name for name in _DSN.trained if name != 'discriminator'),
        )
    ),
    'fine_tuning': Case(_fine_tuning),
    'fine_tuning_frozen': Case(_frozen, source_only_at_zero=False),
    # It reads no target; multi_task_test.py shows that weight 0 is source only.
    'multi_task': Case(
        _multi_task(fixed=True),
        ('classifier', 'encoder', 'odd'),
        source_only_at_zero=False,
    ),
    'multi_task_uncertainty': Case(
        _multi_task(fixed=False),
        ('classifier', 'encoder', 'odd', 'uncertainty'),
        source_only_at_zero=False,
    ),
    'image_labels': Case(_image_labels, ('encoder', 'head'), source_only_at_zero=False),
    'pronet': Case(_pronet, ('encoder', 'head'), source_only_at_zero=False),
    'segmentation': Case(_segmentation, ('segmenter',), source_only_at_zero=False),
    'two_towers': Case(_two_towers, TOWERS, source_only_at_zero=False),
}
