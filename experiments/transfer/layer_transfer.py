"""How transferable are features in deep neural networks? (Yosinski et al., NIPS 2014).

The classes of a data set are split into halves A and B; a base network is trained on
each. For every n, a new network takes the first n layers of a base, has random weights
above them, and is trained on B:

  BnB   copied from base B and frozen: drops if the cut breaks co-adaptation
  BnB+  copied from base B and fine-tuned: recovers that drop
  AnB   copied from base A and frozen: drops further if features are specific to A
  AnB+  copied from base A and fine-tuned: transfer

Published, on ImageNet with AlexNet (figure 2, random halves of the classes): base B has
62.5 % top-1; BnB drops at layers 4 and 5 and recovers above; AnB drops a little at
layer 3 and more from 4 to 7; AnB+ is above base B by 1.6 points on average over n = 1
to 7 (table 1). The default has a network of five layers and small images; no number is
published for it.

    python -m experiments.transfer.layer_transfer
    python -m experiments.transfer.layer_transfer --config.domain gtsrb
    python -m experiments.transfer.layer_transfer --config.copy last:2
    python -m experiments.transfer.layer_transfer --config.domain imagenet \
        --config.network alexnet --config.steps 450000 --config.batch 256 \
        --config.rate 0.01 --config.schedule thirds --config.seeds 1

The last command has the schedule of the paper's networks, Caffe's AlexNet: the rate
falls to a tenth every 100,000 of 450,000 steps. It is 30 trainings; --config.copy
first:N are those of one n. MNIST-M: digits 0-4 are A and
5-9 are B. All other domains: random halves of the classes, drawn once (the paper
averages over several draws on ImageNet).

AlexNet and its like see random squares of 224 of 256 pixels, half of them mirrored, and
are tested on the central square.

Frozen layers also keep their running batch statistics (models.BatchNorm, frozen). Bases
and transferred networks are trained alike. All transferred networks of a seed have the
same initial weights and batches, which differ from those of the bases.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import optax

from experiments.tasks import (
    choices,
    domain_specs,
    evaluation_data,
    photo_domains,
    training_trials,
)
from experiments.transfer import layer_transfer_data, layer_transfer_figure
from experiments.transfer.layer_transfer_data import LAYERED
from transfer_jax import cli, methods, models, runs
from transfer_jax.recipes import backbones, encoders
from transfer_jax.training import optim

IN_ORDER = ('mnist_m', 'fake')  # the first half of the classes is A
SCHEDULES = {
    'cosine': lambda steps: optax.cosine_decay_schedule(1.0, steps),
    # A tenth after 100,000 of 450,000 steps, and so on
    'thirds': lambda steps: optax.exponential_decay(
        1.0, round(steps / 4.5), 0.1, staircase=True
    ),
}
METHODS = ('BnB', 'BnB+', 'AnB', 'AnB+')
BASES = ('base_A', 'base_B')  # each tested on its half of the classes
SPLIT_SEED = 0  # of random halves


@dataclasses.dataclass(frozen=True)
class Config:
    """Layers of a small network, copied between two halves of a data set's classes."""

    domain: str = 'mnist_m'
    """mnist_m (digits 0-4 and 5-9), or any other (random halves of the classes): gtsrb,
    imagenet, folder:PATH, tfds:cifar10; with lazy: before it, images are decoded as
    they are needed."""
    copy: str = 'first'
    """Which layers are copied: first (every n), first:N, last or last:N."""
    seeds: int = 2
    steps: int = 1_000
    batch: int = 64
    rate: float = 0.05
    """Learning rate at the start."""
    momentum: float = 0.9
    decay: float = 5e-4
    """L2 decay of all trained parameters."""
    network: str = LAYERED
    """layered, or a network of transfer_jax/recipes/backbones.py without batch norm:
    alexnet, vgg16, ..."""
    size: int = 0
    """Side of the images in pixels; by default that of the network."""
    schedule: str = 'cosine'
    """How the rate falls: cosine (half of one, to 0), or thirds."""
    processes: int = 0
    """Processes that read training images which are not in memory; 0: threads."""


class Prepared(NamedTuple):
    """Both halves, and a function that trains each base network once."""

    halves: Mapping[str, layer_transfer_data.Half]
    base: Any  # (half, seed) -> (method, its last state)


def build(config: Config) -> runs.Study:
    """The study of a config."""
    photo_domains.check(config.domain)
    choices.check('schedule', config.schedule, SCHEDULES)
    layers = layers_of(config.network)
    side, _, number = config.copy.partition(':')
    counts = [int(number)] if number.isdigit() else range(1, len(layers) + 1)
    for count in counts:  # raises for a wrong --config.copy
        methods.choose_layers(layers, f'{side}:{count}')
    network = '' if config.network == LAYERED else f'{config.network}, '
    domain = config.domain
    if domain not in layer_transfer_data.SIZES:
        domain = domain_specs.short_name(domain)
    title = f'{domain}, {network}{side} n layers copied'
    seeds = range(config.seeds)
    trials = [
        {'method': base, 'n': 0, 'seed': seed} for base in BASES for seed in seeds
    ]
    trials += [
        {'method': method, 'n': n, 'seed': seed}
        for method in METHODS
        for n in counts
        for seed in seeds
    ]
    return runs.Study(
        name='transfer.layer_transfer',
        config=config,
        task=title,
        trials=tuple(trials),
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config, side),
        across='n',
        values=('accuracy',),
        figures=lambda rows: {
            'Layer transfer': layer_transfer_figure.draw(rows, title, METHODS)
        },
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """Both domains, copying the first and the last layers."""
    for domain in ('mnist_m', 'gtsrb'):
        for copy in ('first', 'last'):
            yield Config(domain, copy)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config('fake', 'first:2', seeds=1, steps=4, batch=8)


def layers_of(network: str) -> tuple[str, ...]:
    """The layers of a network that are copied.

    Raises:
      ValueError: no such network, or its frozen layers would change with batch norm.
    """
    if network == LAYERED:
        return models.LayeredNet.LAYERS
    if encoders.is_random(network):
        raise ValueError(f'no network {network!r}; give {LAYERED} or a backbone')
    if encoders.has_norm(network):
        raise ValueError(
            f'{network} has batch norm, whose statistics cannot be frozen by layer '
            f'here; choose {LAYERED}, alexnet, vgg16 or another without it'
        )
    return encoders.layers(network)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    size = _size(config)
    if config.network != LAYERED:
        size = round(layer_transfer_data.MARGIN * size)
    domain = photo_domains.load(config.domain, size=size, data_dir=data_dir)
    if len(domain.classes) < 2:
        raise ValueError(f'{config.domain}: one class cannot be halved')
    by_name = layer_transfer_data.halves(
        domain, None if config.domain in IN_ORDER else SPLIT_SEED
    )

    @functools.cache
    def base(half: str, seed: int):
        method = _method(config, len(by_name[half].train.classes), ())
        # Transferred networks train with 3 * seed.
        base_seed = 3 * seed + (1 if half == 'A' else 2)
        return method, _train(config, method, by_name[half], None, base_seed)

    return Prepared(by_name, base)


def _measure(config, side, prepared, trial):
    name, n, seed = trial['method'], trial['n'], trial['seed']
    if name in BASES:
        half = prepared.halves[name[-1]]
        method, state = prepared.base(name[-1], seed)
    else:
        half = prepared.halves['B']
        copied = methods.choose_layers(layers_of(config.network), f'{side}:{n}')
        frozen = () if name.endswith('+') else copied
        method = _method(config, len(half.train.classes), frozen)
        _, source = prepared.base(name[0], seed)
        start = functools.partial(_start, source, copied)
        state = _train(config, method, half, start, 3 * seed)
    batches = evaluation_data.batches(
        half.test, layer_transfer_data.central(config.network, half, _size(config))
    )
    return training_trials.score(method, state, batches, len(half.train.classes))


@functools.cache  # one compiled step for all trials of a depth
def _method(config, classes, frozen):
    tx = optim.sgd(
        optim.scaled(SCHEDULES[config.schedule](config.steps), config.rate),
        momentum=config.momentum,
        decay=config.decay,
    )
    patterns = [f'{layer}/.*' for layer in frozen]
    if config.network == LAYERED:
        encoder = models.LayeredNet(norm=models.BatchNorm, frozen=frozen)
    else:
        encoder = backbones.get(config.network).module(classes=0)
    return methods.fine_tuning(
        encoder,
        models.Classifier(classes),
        txs={'encoder': optim.freeze(tx, patterns), 'classifier': tx},
    )


def _start(source, copied, fresh, previous):
    """The fresh state with the copied layers of the source and their statistics."""
    del previous
    params = methods.copy_layers(
        fresh.params['encoder'], source.params['encoder'], copied
    )
    encoder_state = fresh.model_state['encoder']
    if 'batch_stats' not in encoder_state:
        return fresh.replace(params={**fresh.params, 'encoder': params})
    batch_stats = methods.copy_layers(
        encoder_state['batch_stats'],
        source.model_state['encoder']['batch_stats'],
        copied,
    )
    encoder_state = {**encoder_state, 'batch_stats': batch_stats}
    return fresh.replace(
        params={**fresh.params, 'encoder': params},
        model_state={**fresh.model_state, 'encoder': encoder_state},
    )


def _train(config, method, half, start, seed):
    stream = training_trials.labelled(
        half.train,
        layer_transfer_data.scale(config.network, half),
        batch=config.batch,
        seed=seed,
        transform=None
        if config.network == LAYERED
        else layer_transfer_data.crop(_size(config)),
        processes=config.processes,
    )
    return training_trials.train(method, start, stream, steps=config.steps, seed=seed)


def _size(config):
    return layer_transfer_data.size_of(config.network, config.domain, config.size)


if __name__ == '__main__':
    cli.main(Config, build)
