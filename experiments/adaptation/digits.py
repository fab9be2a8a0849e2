"""Every deep method of adaptation on one pair of digit domains, by one recipe.

Published on the same protocol (adda; LeNet; Tzeng et al. 2017, table 2), MNIST -> USPS
and USPS -> MNIST: source only 75.2 and 57.1, DANN 77.1 and 73.0, domain confusion 79.1
and 66.5, ADDA 89.4 and 90.1.

    python -m experiments.adaptation.digits --config.method dann
    python -m experiments.adaptation.digits --config.method mcc --config.protocol full
    python -m experiments.sweep experiments.adaptation.digits
    python -m experiments.table digits

LeNet, 32 + 32 images a step, Adam at 0.001 / (1 + 10 p)^0.75 for all methods but ADDA;
what a method adds, and its weight, stand in transfer_jax/recipes/deep_methods.py.
"""

import dataclasses
from collections.abc import Iterator

from experiments.tasks import digit_pairs
from transfer_jax import cli, methods, recipes, runs
from transfer_jax.recipes import networks
from transfer_jax.training import optim

# May differ within one program, see experiments.sweep.
TRACED = ('rate', 'weight')


@dataclasses.dataclass(frozen=True)
class Config:
    """One method on a pair of digit domains."""

    method: str = 'dann'
    """See transfer_jax/recipes/deep_methods.py."""
    pair: str = 'mnist_to_usps'
    """A named pair, see experiments/tasks/digit_pairs.py."""
    source: str = ''
    """Instead of a pair: a domain name, folder:PATH, npz:PATH or tfds:NAME."""
    target: str = ''
    """The same for the target."""
    protocol: str = 'adda'
    """adda (2,000 MNIST and 1,800 USPS images drawn by seed), skada, or full."""
    network: str = 'lenet'
    """lenet, or mnist, svhn, signs of Ganin."""
    norm: str = ''
    """Batch-norm policy: none, joint, separate, source, adabn, dsbn or autodial; the
    method's own by default."""
    dtype: str = 'float32'
    """Of the encoder's computation: float32 or bfloat16."""
    classes: int = 0
    """Number of classes; found out by default, but for tfds:NAME."""
    seeds: int = 2
    steps: int = 1_000
    """Of each stage, where a method has two."""
    batch: int = 32
    """Images of each domain in a step."""
    evaluations: int = 20
    rate: float = 1e-3
    """Adam's rate at the start."""
    weight: float | None = None
    """Of what the method adds; its recipe's by default."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    recipe = recipes.get(config.method)
    pair = config.pair
    source, target = config.source, config.target
    if config.method == 'train_on_target' and not target:
        source = target = digit_pairs.PAIRS[pair][1]
    task = digit_pairs.task(
        pair,
        source,
        target,
        network=config.network,
        protocol=config.protocol,
        classes=config.classes,
    )
    norm = config.norm or recipe.norm
    nets = networks.build(
        task.network,
        task.classes,
        norm,
        image=digit_pairs.image_shape(task),
        dtype=config.dtype,
    )
    tx = optim.adam(optim.ganin_rate(config.steps, config.rate))
    weight = recipe.schedule(config.weight, config.steps)

    def stream(pair, previous):
        del previous
        alone = recipe.weight == 0 and recipe.start is None and norm == 'none'
        return digit_pairs.stream(
            pair,
            source_batch=config.batch,
            target_batch=0 if alone else config.batch,
        )

    stages = [
        runs.Stage(
            'train',
            config.steps,
            recipe.make(nets, tx, weight),
            stream,
            recipe.start,
            recipe.shows,
        )
    ]
    if recipe.start:
        first = methods.supervised(
            nets.encoder, nets.classifier, txs={'encoder': tx, 'classifier': tx}
        )
        stages.insert(0, runs.Stage('source', config.steps, first, stream))
    return runs.Experiment(
        name='adaptation.digits',
        config=config,
        arm=config.method,
        task=str(task),
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: digit_pairs.load_pair(task, seed, data_dir),
        held_out=digit_pairs.held_out,
        stages=tuple(stages),
        classes=lambda pair: pair.classes,
        # Of a second stage the target's networks are judged, on source images too.
        validate_as='target' if recipe.start else 'source',
        evaluations=config.evaluations,
        fast=cli.same(config, fast()),
        samples=digit_pairs.samples,
    )


def sweep() -> Iterator[Config]:
    """Every method on the small protocol, some on whole training sets too."""
    for pair in ('mnist_to_usps', 'usps_to_mnist'):
        for method in recipes.RECIPES:
            yield Config(method=method, pair=pair)
        for method in recipes.MAIN:
            for protocol in ('skada', 'full'):
                yield Config(method=method, pair=pair, protocol=protocol, steps=2_000)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(pair='fake_to_fake_shifted', protocol='full', steps=6, batch=16)


if __name__ == '__main__':
    cli.main(Config, build)
