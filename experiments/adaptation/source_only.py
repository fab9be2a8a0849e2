"""The two baselines of every adaptation table: source only, and train on target.

Published for MNIST -> MNIST-M: source only 52.25 (JMLR 2016) to 63.6 (DSN), train on
target 95.96.

    python -m experiments.adaptation.source_only --config.pair mnist_to_mnist_m
    python -m experiments.adaptation.source_only --config.source mnist_m \
        --config.target mnist_m

To train on the target's labels, name the target as the source too; without that they
are never used. Network, rate, momentum and source batches are those of
experiments.adaptation.dann.
"""

import dataclasses
from collections.abc import Iterator

from experiments.tasks import digit_pairs, golden
from transfer_jax import cli, methods, runs
from transfer_jax.recipes import networks
from transfer_jax.training import optim

# Runs that differ only in these share one compiled program, see experiments.sweep.
TRACED = ('rate',)


@dataclasses.dataclass(frozen=True)
class Config:
    """Supervised training on the source of a pair."""

    pair: str = 'mnist_to_mnist_m'
    """A named pair, see experiments/tasks/digit_pairs.py."""
    source: str = ''
    """Instead of a pair: a domain name, folder:PATH, npz:PATH or tfds:NAME."""
    target: str = ''
    """The same for the target; equal to the source to train on the target."""
    protocol: str = 'full'
    """full, or adda (2,000 MNIST and 1,800 USPS images drawn by seed)."""
    network: str = ''
    """mnist, svhn or signs; by default the network of the pair."""
    classes: int = 0
    """Number of classes; by default read from the domain, 10 for tfds:NAME."""
    seeds: int = 3
    steps: int = 10_000
    batch: int = 64
    """Source images in a step."""
    rate: float = 0.01
    """Learning rate at the start."""
    momentum: float = 0.9


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
    method = methods.supervised(
        nets.encoder, nets.classifier, txs={'encoder': tx, 'classifier': tx}
    )
    name = 'train_on_target' if task.source == task.target else 'source_only'
    return runs.Experiment(
        name='adaptation.source_only',
        config=config,
        method=name,
        task=str(task),
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: digit_pairs.load_pair(task, seed, data_dir),
        held_out=digit_pairs.held_out,
        stages=(
            runs.Stage(
                'train',
                config.steps,
                method,
                lambda pair, previous: digit_pairs.stream(
                    pair, source_batch=config.batch
                ),
            ),
        ),
        classes=lambda pair: pair.classes,
        golden=golden.digest(name),
        fast=cli.configs_equal(config, fast()),
        samples=digit_pairs.samples,
        inputs=digit_pairs.inputs,
    )


def sweep() -> Iterator[Config]:
    """Ganin's four pairs, and training on each target."""
    for pair in list(digit_pairs.PAIRS)[:4]:
        yield Config(pair=pair)
        _, target, network = digit_pairs.PAIRS[pair]
        yield Config(source=target, target=target, network=network)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(pair='fake_to_fake_shifted', seeds=2, steps=8, batch=8)


if __name__ == '__main__':
    cli.main(Config, build)
