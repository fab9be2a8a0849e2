"""The methods of experiments.adaptation.digits with their hyper-parameters.

A weight was chosen once, among those of `tried`, by information maximisation at the end
of a run on MNIST -> USPS, and is used on all pairs: experiments/adaptation/tuning.py.
Where nothing was tried it is a first guess.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import optax

from transfer_jax import methods, models, training
from transfer_jax.recipes.networks import Networks
from transfer_jax.training import TrainState, optim

Transform = optax.GradientTransformation
Txs = Mapping[str, Transform]


class Recipe(NamedTuple):
    """How a method is built from networks, an optimiser and a weight."""

    # The optimiser of all networks, or of each, {network: its own, '': the others'}
    make: Callable[[Networks, Transform | Txs, optim.Schedule], training.Method]
    weight: float = 0.0  # 0: it has none
    tried: tuple[float, ...] = ()  # among which the weight was chosen
    norm: str = 'none'  # a key of networks.NORMS
    ramp: bool = True  # the weight rises as Ganin's strength does
    # With a first stage of source only, which as many steps train: how to start from it
    start: Callable[[TrainState, TrainState], TrainState] | None = None
    # Metrics that show its mechanism, printed at each evaluation
    shows: tuple[str, ...] = ()

    def schedule(self, weight: float | None, steps: int) -> optim.Schedule:
        """Of the given weight, or of the recipe's own."""
        value = self.weight if weight is None else weight
        if self.ramp:
            return optim.ganin_strength(steps, value)
        return optim.constant(value)


def _for(tx, *names):
    """{network: its optimiser}."""
    if isinstance(tx, Mapping):
        return {name: tx.get(name, tx['']) for name in names}
    return dict.fromkeys(names, tx)


def _supervised(nets, tx, weight):
    txs = _for(tx, 'encoder', 'classifier')
    return methods.supervised(nets.encoder, nets.classifier, txs=txs)


def _plain(method, **options):
    """A method on encoder and classifier alone."""

    def make(nets, tx, weight):
        txs = _for(tx, 'encoder', 'classifier')
        return method(nets.encoder, nets.classifier, txs=txs, weight=weight, **options)

    return make


def _discriminator(method, name='strength', **options):
    """A method with the discriminator of the networks."""

    def make(nets, tx, weight):
        txs = _for(tx, 'encoder', 'classifier', 'discriminator')
        given = {name: weight, **options}
        return method(
            nets.encoder, nets.classifier, nets.discriminator, txs=txs, **given
        )

    return make


def _mada(nets, tx, weight):
    txs = _for(tx, 'encoder', 'classifier', 'discriminators')
    discriminators = models.ClassDiscriminators((100,), slope=0.2)
    return methods.mada(
        nets.encoder, nets.classifier, discriminators, txs=txs, strength=weight
    )


def _mcd(nets, tx, weight):
    txs = _for(tx, 'encoder', 'classifier', 'second')
    return methods.mcd(nets.encoder, nets.classifier, txs=txs, weight=weight)


def _wdgrl(nets, tx, weight):
    txs = _for(tx, 'encoder', 'classifier', 'critic')
    critic = models.Discriminator((100,))
    return methods.wdgrl(nets.encoder, nets.classifier, critic, txs=txs, weight=weight)


def _dsn(nets, tx, weight):
    names = ('encoder', 'classifier', 'private_source', 'private_target', 'decoder')
    return methods.dsn(
        nets.encoder,
        nets.classifier,
        nets.encoder,
        nets.decoder,
        nets.discriminator,
        txs=_for(tx, *names, 'discriminator'),
        weight=weight,
    )


def _beyond_sharing_weights(nets, tx, weight):
    slow = optim.adam(optim.constant(1e-4))
    txs = {'encoder': tx, 'target_encoder': tx, 'classifier': tx, 'maps': slow}
    return methods.beyond_sharing_weights(
        nets.encoder, nets.classifier, txs=txs, weight=weight, width=None
    )


def _residual_transfer(nets, tx, weight):
    txs = _for(tx, 'encoder', 'classifier', 'discriminator', 'residual')
    return methods.residual_transfer(
        nets.encoder,
        nets.classifier,
        nets.discriminator,
        txs=txs,
        weight=weight,
        rate=optim.constant(1e-3),
        rank_weight=0.3,
    )


def _adda(nets, tx, weight):
    """Slowly and with less momentum, as the paper has it."""
    slow = optim.adam(optim.constant(2e-4), b1=0.5)
    txs = {'encoder': slow, 'discriminator': slow}
    return methods.adda(nets.encoder, nets.classifier, nets.discriminator, txs=txs)


LAYERS = ('conv_1', 'conv_2', 'dense')  # of LeNet
RECIPES: dict[str, Recipe] = {
    'source_only': Recipe(_supervised),
    'train_on_target': Recipe(_supervised),
    'ddc': Recipe(_plain(methods.ddc), 0.003, (0.003, 0.01, 0.03)),
    'dan': Recipe(_plain(methods.dan), 0.3, (0.3, 1.0, 3.0)),
    'jan': Recipe(_plain(methods.jan), 3.0, (0.3, 1.0, 3.0)),
    'deep_coral': Recipe(_plain(methods.deep_coral), 0.01, (0.01, 0.03, 0.1)),
    'cmd': Recipe(_plain(methods.cmd), 0.3, (0.3, 1.0, 3.0)),
    'deep_jdot': Recipe(
        _plain(methods.deep_jdot, feature_weight=0.01, label_weight=1.0),
        0.01,
        (0.01, 0.03, 0.1),
    ),
    'dann': Recipe(_discriminator(methods.dann), 0.03, (0.03, 0.1, 0.3)),
    'domain_confusion': Recipe(
        _discriminator(methods.domain_confusion, 'weight'), 0.01, (0.01, 0.03, 0.1)
    ),
    'adda': Recipe(_adda, start=methods.start_from_source),
    'wdgrl': Recipe(_wdgrl, 0.03, (0.03, 0.1, 0.3)),
    'cdan': Recipe(_discriminator(methods.cdan), 0.3, (0.1, 0.3, 1.0)),
    'cdan_e': Recipe(
        _discriminator(methods.cdan, by_entropy=True), 1.0, (0.1, 0.3, 1.0)
    ),
    'mada': Recipe(_mada, 3.0, (0.3, 1.0, 3.0)),
    'mcd': Recipe(_mcd, 3.0, (0.3, 1.0, 3.0), ramp=False),
    'source_norm': Recipe(_supervised, norm='source'),
    'dsn': Recipe(_dsn, 1.0, shows=('train/correlation',)),
    'beyond_sharing_weights': Recipe(
        _beyond_sharing_weights,
        1.0,
        start=methods.start_streams,
        shows=tuple(f'train/r_w_{layer}' for layer in LAYERS),
    ),
    'residual_transfer': Recipe(
        _residual_transfer,
        0.3,
        (0.03, 0.1, 0.3),
        start=methods.start_residual,
        shows=tuple(f'train/rank_{layer}' for layer in LAYERS),
    ),
    'adabn': Recipe(_supervised, norm='adabn'),
    'autodial': Recipe(
        _plain(methods.entropy_minimization), 0.3, (0.03, 0.1, 0.3), norm='autodial'
    ),
    'dsbn': Recipe(_discriminator(methods.dann), 0.1, (0.1, 0.3, 1.0), norm='dsbn'),
    'entropy_minimization': Recipe(
        _plain(methods.entropy_minimization), 0.3, (0.03, 0.1, 0.3)
    ),
    'mcc': Recipe(_plain(methods.mcc), 3.0, (0.3, 1.0, 3.0)),
    'bnm': Recipe(_plain(methods.bnm), 3.0, (0.3, 1.0, 3.0)),
    'self_training': Recipe(_plain(methods.self_training), 1.0, (0.1, 0.3, 1.0)),
}
# On the large protocols.
MAIN = ('source_only', 'train_on_target', 'dann', 'cdan_e', 'deep_coral', 'mcc', 'bnm')


def get(name: str) -> Recipe:
    """The recipe of a method.

    Raises:
      ValueError: there is none, naming those there are.
    """
    if name not in RECIPES:
        raise ValueError(f'no method {name!r}; choose from {", ".join(RECIPES)}')
    return RECIPES[name]
