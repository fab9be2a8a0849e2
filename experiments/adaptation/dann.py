"""DANN with the recipe of its paper (Ganin & Lempitsky 2015; Ganin et al. 2016).

Published, target test accuracy source only -> DANN (train on target): MNIST -> MNIST-M
52.25 -> 76.66 (95.96), SynSigns -> GTSRB 79.00 -> 88.65 (99.80), SVHN -> MNIST
54.90 -> 73.85 (99.42), SynDigits -> SVHN 86.74 -> 91.09 (92.20) (JMLR 2016, table 2).

    python -m experiments.adaptation.dann --config.pair mnist_to_mnist_m
    python -m experiments.adaptation.dann --config.source folder:A \
        --config.target folder:B

The baselines are experiments.adaptation.source_only. Momentum SGD with rate
0.01 / (1 + 10 p)^0.75, reversal strength 2 / (1 + exp(-10 p)) - 1, batches half source
and half target, the mean of both domains subtracted.
"""

import dataclasses
from collections.abc import Iterator

import optax

from experiments.tasks import digit_pairs, golden
from transfer_jax import cli, methods, runs
from transfer_jax.recipes import networks
from transfer_jax.training import optim

# Runs that differ only in these share one compiled program, see experiments.sweep.
TRACED = ('rate', 'strength')


@dataclasses.dataclass(frozen=True)
class Config:
    """DANN on a pair of domains."""

    pair: str = 'mnist_to_mnist_m'
    """A named pair, see experiments/tasks/digit_pairs.py."""
    source: str = ''
    """Instead of a pair: a domain name, folder:PATH, npz:PATH or tfds:NAME."""
    target: str = ''
    """The same for the target."""
    protocol: str = 'full'
    """full, or adda (2,000 MNIST and 1,800 USPS images drawn by seed)."""
    network: str = ''
    """mnist, svhn or signs; by default the network of the pair."""
    classes: int = 0
    """Number of classes; by default read from the domain, 10 for tfds:NAME."""
    seeds: int = 3
    steps: int = 10_000
    batch: int = 128
    """Images in a step, half of each domain."""
    rate: float = 0.01
    """Learning rate at the start."""
    momentum: float = 0.9
    clip: float = 0.0
    """Largest norm of the gradient of each network; 0: no limit, as published."""
    strength: float = 1.0
    """Reversal strength at the end; 0 trains source only on the same batches."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    task = digit_pairs.task(
        config.pair,
        config.source,
        config.target,
        network=config.network,
        protocol=config.protocol,
        classes=config.classes,
    )
    nets = networks.build(task.network, task.classes)
    tx = optim.sgd(
        optim.ganin_rate(config.steps, config.rate), momentum=config.momentum
    )
    if config.clip:
        tx = optax.chain(optax.clip_by_global_norm(config.clip), tx)
    method = methods.dann(
        nets.encoder,
        nets.classifier,
        nets.discriminator,
        txs={'encoder': tx, 'classifier': tx, 'discriminator': tx},
        strength=optim.ganin_strength(config.steps, config.strength),
    )
    half = config.batch // 2

    def stream(pair, previous):
        del previous
        return digit_pairs.stream(pair, source_batch=half, target_batch=half)

    return runs.Experiment(
        name='adaptation.dann',
        config=config,
        method='dann',
        task=str(task),
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: digit_pairs.load_pair(task, seed, data_dir),
        held_out=digit_pairs.held_out,
        stages=(runs.Stage('train', config.steps, method, stream),),
        classes=lambda pair: pair.classes,
        golden=golden.digest('dann'),
        fast=cli.configs_equal(config, fast()),
        samples=digit_pairs.samples,
        inputs=digit_pairs.inputs,
    )


def sweep() -> Iterator[Config]:
    """Ganin's four pairs."""
    for pair in list(digit_pairs.PAIRS)[:4]:
        yield Config(pair=pair)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(pair='fake_to_fake_shifted', seeds=2, steps=8, batch=16)


if __name__ == '__main__':
    cli.main(Config, build)
