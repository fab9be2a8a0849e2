"""Every deep method of adaptation on a pair of digit domains, trained alike.

Published on the same protocol (adda; LeNet; Tzeng et al. 2017, table 2), MNIST -> USPS
and USPS -> MNIST: source only 75.2 and 57.1, DANN 77.1 and 73.0, domain confusion 79.1
and 66.5, ADDA 89.4 and 90.1.

    python -m experiments.adaptation.digits --config.method dann
    python -m experiments.adaptation.digits --config.method mcc --config.protocol full
    python -m experiments.sweep experiments.adaptation.digits
    python -m experiments.sweep experiments.adaptation.digits --only protocol=adda
    python -m experiments.table digits

LeNet, 32 + 32 images a step, Adam at 0.001 / (1 + 10 p)^0.75 for all methods but ADDA.
DeepJDOT has the authors' 500 + 500 images, the source's balanced by class: 1,000 steps
take about 10 minutes of one core. transfer_jax/recipes/deep_methods.py has what each
method adds, and its weight. A result's config has the batch that was used.
"""

import dataclasses
import functools
from collections.abc import Iterator

from experiments.tasks import digit_pairs, golden, tuned_weights
from transfer_jax import cli, methods, recipes, runs
from transfer_jax.recipes import networks
from transfer_jax.training import optim

# Runs that differ only in these share one compiled program, see experiments.sweep.
TRACED = ('rate', 'weight')
PAIRS = ('mnist_to_usps', 'usps_to_mnist')
# Of the sweep. Train on target is there for the share of the gap.
SEPARATE = ('dann', 'adda', 'mcc', 'train_on_target')
BATCH = 32  # of the methods that do not state theirs


@dataclasses.dataclass(frozen=True)
class Config:
    """One method on a pair of digit domains."""

    method: str = 'dann'
    """A method of transfer_jax/recipes/deep_methods.py."""
    pair: str = 'mnist_to_usps'
    """A named pair, see experiments/tasks/digit_pairs.py."""
    source: str = ''
    """Instead of a pair: a domain name, folder:PATH, npz:PATH or tfds:NAME."""
    target: str = ''
    """The same for the target."""
    protocol: str = 'adda'
    """adda (2,000 MNIST and 1,800 USPS images drawn by seed), skada, or full."""
    network: str = 'lenet'
    """lenet, or one of Ganin's networks: mnist, svhn, signs."""
    norm: str = ''
    """Batch-norm policy: none, joint, separate, source, adabn, dsbn or autodial; by
    default that of the method."""
    dtype: str = 'float32'
    """Type of the encoder's computation: float32 or bfloat16."""
    classes: int = 0
    """Number of classes; by default read from the domain, 10 for tfds:NAME."""
    seeds: int = 3
    steps: int = 1_000
    """Steps of each stage; some methods have two."""
    batch: int | None = None
    """Images of each domain in a step; by default that of the method, else 32."""
    balanced: bool | None = None
    """Whether source batches have equally many images of each class; by default as the
    method."""
    evaluations: int = 20
    """Evaluations in a stage."""
    rate: float = 1e-3
    """Adam's rate at the start."""
    weight: float | None = None
    """Weight of the loss that the method adds; by default that of its recipe. Of two
    stages, in the second."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    recipe, config = recipes.get(config.method), resolved(config)
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
        # Source-only training without batch norm needs no target images.
        no_target = recipe.weight == 0 and recipe.start is None and norm == 'none'
        return digit_pairs.stream(
            pair,
            source_batch=config.batch,
            target_batch=0 if no_target else config.batch,
            balanced=config.balanced,
        )

    stages = [
        runs.Stage(
            'train',
            config.steps,
            recipe.make(nets, tx, weight, config.steps),
            stream,
            recipe.start,
            recipe.logged_metrics,
        )
    ]
    if recipe.start:
        stages.insert(0, _first_stage(recipe.first, config.steps, nets, tx, stream))
    return runs.Experiment(
        name='adaptation.digits',
        config=config,
        method=config.method,
        task=str(task),
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: digit_pairs.load_pair(task, seed, data_dir),
        held_out=digit_pairs.held_out,
        stages=tuple(stages),
        classes=lambda pair: pair.classes,
        measure=functools.partial(
            runs.measure_adaptation, validate_as=recipe.validate_as
        ),
        evaluations=config.evaluations,
        compared=compared(config),
        golden=golden.digest(config.method),
        fast=cli.configs_equal(config, resolved(fast())),
        samples=digit_pairs.samples,
        inputs=digit_pairs.inputs,
    )


def compared(config: Config) -> runs.Compared:
    """What a gain is over: the same network and batches, no loss on the target."""
    config = resolved(config)
    recipe = recipes.get(config.method)
    norm = config.norm or recipe.norm
    network = config.network, config.dtype, networks.compared_as(norm)
    batches = f'{config.batch} images{", balanced" if config.balanced else ""}'
    return runs.Compared(
        norm,
        ', '.join(network),
        f'{batches}, rate {config.rate}',
        baseline=recipe.method is methods.supervised
        and config.method != 'train_on_target',
    )


def _first_stage(name, steps, nets, tx, stream) -> runs.Stage:
    """A first stage by another recipe, with the networks of the second."""
    recipe = recipes.get(name)
    method = recipe.make(nets, tx, recipe.schedule(None, steps), steps)
    stage = 'source' if name == 'source_only' else name
    return runs.Stage(
        stage, steps, method, stream, logged_metrics=recipe.logged_metrics
    )


def resolved(config: Config) -> Config:
    """The config with the weight and the batches in effect, which a result states."""
    recipe, batch, balanced = recipes.get(config.method), config.batch, config.balanced
    return dataclasses.replace(
        recipe.with_weight(config),
        batch=(recipe.batch or BATCH) if batch is None else batch,
        balanced=recipe.balanced if balanced is None else balanced,
    )


def sweep() -> Iterator[Config]:
    """The digits table, in the order in which its rows are made.

    Protocol adda: every method at its published weight, source only on the batches of
    the methods that have their own, some with separate norm, then the weights of
    experiments.adaptation.tuning that are others. Then skada and full.
    """
    own = {(r.batch, r.balanced) for r in recipes.RECIPES.values() if r.batch}
    for pair in PAIRS:
        for method in recipes.RECIPES:
            yield Config(method=method, pair=pair)
        for batch, balanced in sorted(own):
            yield Config('source_only', pair, batch=batch, balanced=balanced)
    for pair in PAIRS:
        for method in SEPARATE:
            yield Config(method=method, pair=pair, norm='separate')
    tuned = tuned_weights.read()
    for method in tuned_weights.METHODS:
        # The published weight has its run already.
        if tuned.get(method, recipes.get(method).weight) != recipes.get(method).weight:
            yield Config(method=method, pair=tuned_weights.PAIR, weight=tuned[method])
    for pair in PAIRS:
        for method in recipes.MAIN:
            for protocol in ('skada', 'full'):
                yield Config(method=method, pair=pair, protocol=protocol, steps=2_000)


def left_out() -> list[str]:
    """What the sweep leaves out, a line each."""
    missing = [m for m in tuned_weights.METHODS if m not in tuned_weights.read()]
    if not missing:
        return []
    return [
        f'the tuned weight of {", ".join(missing)}: {tuned_weights.PATH} has none that '
        'was chosen by committed code; '
        f'python -m experiments.adaptation.tuning --methods {" ".join(missing)}'
    ]


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(pair='fake_to_fake_shifted', protocol='full', steps=6, batch=16)


if __name__ == '__main__':
    cli.main(Config, build)
