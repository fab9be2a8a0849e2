"""ADDA on digits: a source classifier, then a target encoder against a discriminator.

Published (Tzeng et al. 2017, table 2; LeNet, protocol adda: 2,000 MNIST and 1,800 USPS
images, tested on the same target images): MNIST -> USPS source only 75.2 +/- 1.6, ADDA
89.4 +/- 0.2; USPS -> MNIST 57.1 +/- 1.7, 90.1 +/- 0.8.

    python -m experiments.adaptation.adda --config.pair mnist_to_usps

Two stages. 'source': encoder and classifier on source labels; its last row is the
source-only baseline of the same run. 'adapt': the discriminator and the target encoder
in turn. Adam at a constant rate in both, as in the paper; pixels in [0, 1] less the
mean.
"""

import dataclasses
import functools
from collections.abc import Iterator

from experiments.tasks import digit_pairs, golden
from transfer_jax import cli, methods, models, runs
from transfer_jax.training import optim

# Runs that differ only in these share one compiled program, see experiments.sweep.
TRACED = ('rate', 'adapt_rate', 'b1')


@dataclasses.dataclass(frozen=True)
class Config:
    """ADDA on a pair of digit domains."""

    pair: str = 'mnist_to_usps'
    """A named pair, see experiments/tasks/digit_pairs.py."""
    source: str = ''
    """Instead of a pair: a domain name, folder:PATH, npz:PATH or tfds:NAME."""
    target: str = ''
    """The same for the target."""
    protocol: str = 'adda'
    """adda (2,000 MNIST and 1,800 USPS images drawn by seed), or full."""
    classes: int = 0
    """Number of classes; by default read from the domain, 10 for tfds:NAME."""
    seeds: int = 3
    steps: int = 1_000
    """Steps of the source stage."""
    adapt_steps: int = 1_000
    """Steps of the adaptation stage; 0 stops after the source stage."""
    batch: int = 64
    """Images of each domain in a step."""
    rate: float = 1e-3
    """Adam's rate in the source stage."""
    adapt_rate: float = 2e-4
    """Adam's rate of encoder and discriminator in the adaptation stage."""
    b1: float = 0.5
    """Adam's momentum in the adaptation stage."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    task = digit_pairs.task(
        config.pair,
        config.source,
        config.target,
        network='mnist',
        protocol=config.protocol,
        classes=config.classes,
    )
    encoder = models.LeNet()
    classifier = models.Classifier(task.classes)
    discriminator = models.Discriminator((500, 500), slope=0.2)
    first = optim.adam(optim.constant(config.rate))
    second = optim.adam(optim.constant(config.adapt_rate), b1=config.b1)
    source = runs.Stage(
        'source',
        config.steps,
        methods.supervised(
            encoder, classifier, txs={'encoder': first, 'classifier': first}
        ),
        lambda pair, previous: digit_pairs.stream(pair, source_batch=config.batch),
    )
    adapt = runs.Stage(
        'adapt',
        config.adapt_steps,
        methods.adda(
            encoder,
            classifier,
            discriminator,
            txs={'encoder': second, 'discriminator': second},
        ),
        lambda pair, previous: digit_pairs.stream(
            pair, source_batch=config.batch, target_batch=config.batch
        ),
        methods.start_from_source,
    )
    name = 'adda' if config.adapt_steps else 'source_only'
    return runs.Experiment(
        name='adaptation.adda',
        config=config,
        method=name,
        task=str(task),
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: digit_pairs.load_pair(task, seed, data_dir),
        held_out=digit_pairs.held_out,
        stages=(source, adapt) if config.adapt_steps else (source,),
        # Validators score the target encoder, on source images too.
        measure=functools.partial(runs.measure_adaptation, validate_as='target'),
        classes=lambda pair: pair.classes,
        golden=golden.digest(name),
        fast=cli.configs_equal(config, fast()),
        samples=digit_pairs.samples,
        inputs=digit_pairs.inputs,
    )


def sweep() -> Iterator[Config]:
    """Both directions, and the baseline of each."""
    for pair in ('mnist_to_usps', 'usps_to_mnist'):
        yield Config(pair=pair)
        yield Config(pair=pair, adapt_steps=0)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        pair='fake_to_fake_shifted',
        protocol='full',
        seeds=1,
        steps=6,
        adapt_steps=6,
        batch=8,
    )


if __name__ == '__main__':
    cli.main(Config, build)
