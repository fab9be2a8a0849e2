"""Deep adaptation of real photographs, from a network trained on ImageNet.

Published for other networks and whole sets (Office-Caltech10, AlexNet, mean of 12
pairs; Long et al. 2015): fine-tuned 86.1, DDC 88.2, DAN 90.1. This experiment has a
smaller network and smaller images: compare gains, not values.

    python -m experiments.adaptation.photos --config.method dann
    python -m experiments.adaptation.photos --config.method labelled_target
    python -m experiments.adaptation.photos --config.source pacs_photo \
        --config.target pacs_sketch
    python -m experiments.sweep experiments.adaptation.photos

The encoder starts from ImageNet weights and learns ten times slower than the new
layers. Method source_only fine-tunes on the source. labelled_target then fine-tunes on
3 labelled target images of each class (the lecture's main approach); do not compare it
with methods that see no target label. The loss that a method adds has the published
weight of its recipe (docs/methods.md); no label was used to choose it. Protocol:
experiments/tasks/photo_pairs.py.
"""

import dataclasses
import functools
from collections.abc import Iterator

from experiments.tasks import choices, golden, photo_pairs
from transfer_jax import cli, methods, models, recipes, runs
from transfer_jax.recipes import encoders, networks
from transfer_jax.training import optim

LABELLED = 'labelled_target'
METHODS = ('source_only', LABELLED, 'dann', 'dan', 'deep_coral', 'mcc')
# Runs that differ only in these share one compiled program, see experiments.sweep.
TRACED = ('rate', 'encoder_rate', 'weight')
PAIRS = (('office_amazon', 'office_webcam'), ('office_webcam', 'office_caltech10'))


@dataclasses.dataclass(frozen=True)
class Config:
    """One method on a pair of domains of photographs."""

    method: str = 'dann'
    """source_only, labelled_target, dann, dan, deep_coral or mcc."""
    source: str = 'office_amazon'
    """office_amazon, office_caltech10, office_dslr, office_webcam, a domain of PACS
    (pacs_photo, ...), or folder:PATH."""
    target: str = 'office_webcam'
    """The same for the target."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 96
    """Side of the images in pixels."""
    labelled: int = 3
    """Labelled target images of each class; only labelled_target has them."""
    seeds: int = 2
    steps: int = 300
    """Steps of each stage; labelled_target has two."""
    batch: int = 16
    """Images of each domain in a step."""
    evaluations: int = 6
    """Evaluations in a stage."""
    rate: float = 1e-3
    """Adam's rate of the new layers at the start."""
    encoder_rate: float = 0.1
    """Rate of the pretrained layers over that of the new ones."""
    weight: float | None = None
    """Weight of the loss that the method adds; by default that of its recipe."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    pair_task = task(config)
    nets = networks.Networks(
        encoders.build(config.backbone),
        models.Classifier(photo_pairs.count_classes(config.source)),
        models.Discriminator((256, 256)),
    )
    rate = optim.ganin_rate(config.steps, config.rate)
    slow = optim.adam(optim.scaled(rate, config.encoder_rate))
    supervised = config.method == LABELLED
    recipe = recipes.get('source_only' if supervised else config.method)
    method = recipe.make(
        nets,
        {'encoder': slow, '': optim.adam(rate)},
        recipe.schedule(config.weight, config.steps),
    )

    def stage(name, *domains):
        def stream(pair, previous):
            del previous
            return photo_pairs.stream(pair, config.batch, *domains)

        start = methods.start_from_previous
        return runs.Stage(name, config.steps, method, stream, start)

    if supervised:
        stages = (stage('source', 'source'), stage('target', 'target_labelled'))
    elif config.method == 'source_only':
        stages = (stage('train', 'source'),)
    else:
        stages = (stage('train', 'source', 'target'),)
    return runs.Experiment(
        name='adaptation.photos',
        config=recipe.with_weight(config),
        method=config.method,
        task=str(pair_task),
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: photo_pairs.load(pair_task, seed, data_dir),
        held_out=photo_pairs.held_out,
        stages=stages,
        before=photo_pairs.before,
        classes=lambda pair: pair.classes,
        evaluations=config.evaluations,
        golden=golden.digest(config.method),
        fast=cli.configs_equal(config, fast()),
        samples=lambda pair: {'source': pair.source, 'target': pair.target_test},
        inputs=functools.partial(photo_pairs.inputs, pair_task),
    )


def task(config: Config) -> photo_pairs.Task:
    """The pair of domains, the network and the number of target labels.

    Raises:
      ValueError: no such method.
    """
    choices.check('method', config.method, METHODS)
    labelled = config.labelled if config.method == LABELLED else 0
    return photo_pairs.Task(
        config.source, config.target, config.backbone, config.size, labelled
    )


def sweep() -> Iterator[Config]:
    """Every method on the two pairs."""
    for source, target in PAIRS:
        for method in METHODS:
            yield Config(method=method, source=source, target=target)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        source='fake',
        target='fake_shifted',
        backbone='tiny',
        size=32,
        steps=4,
        evaluations=2,
    )


if __name__ == '__main__':
    cli.main(Config, build)
