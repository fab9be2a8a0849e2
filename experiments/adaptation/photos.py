"""Deep adaptation of real photographs, from a network trained on ImageNet.

Published for other networks and whole sets (Office-Caltech10, AlexNet, mean of 12
pairs; Long et al. 2015): fine-tuned 86.1, DDC 88.2, DAN 90.1. This experiment has a
smaller network and smaller images: compare gains, not values.

    python -m experiments.adaptation.photos --config.method dann
    python -m experiments.adaptation.photos --config.method labelled_target
    python -m experiments.adaptation.photos --config.source pacs_photo \
        --config.target pacs_sketch
    python -m experiments.adaptation.photos --config.source office31_amazon \
        --config.target office31_webcam --config.backbone resnet50 --config.size 224 \
        --config.bottleneck 256 --config.optimiser sgd --config.rate 0.01
    python -m experiments.sweep experiments.adaptation.photos

experiments.adaptation.office31 has the six pairs of Office-31. The encoder starts from
ImageNet weights and learns ten times slower than the new layers. Method source_only
fine-tunes on the source. labelled_target then fine-tunes on 3 labelled target images of
each class (the lecture's main approach); do not compare it with methods that see no
target label. The loss that a method adds has the published weight of its recipe
(docs/methods.md); no label was used to choose it. Protocol:
experiments/tasks/photo_pairs.py.
"""

import dataclasses
import functools
from collections.abc import Iterator

import flax.linen as nn

from experiments.tasks import choices, domain_specs, golden, photo_pairs
from transfer_jax import cli, methods, models, recipes, runs
from transfer_jax.recipes import encoders, networks
from transfer_jax.training import optim

LABELLED = 'labelled_target'
METHODS = ('source_only', LABELLED, 'dann', 'dan', 'deep_coral', 'mcc')
# Beside METHODS: all other methods but those that need labels of the whole target.
ALL = tuple(
    dict.fromkeys(
        (*METHODS, *(name for name in recipes.RECIPES if name != 'train_on_target'))
    )
)
OF_LENET = (methods.beyond_sharing_weights, methods.residual_transfer)
OPTIMISERS = {
    'adam': optim.adam,
    # As public code for Office-31, which decays by 5e-4 or 1e-3
    'sgd': functools.partial(optim.sgd, momentum=0.9, decay=1e-3),
}
# Runs that differ only in these share one compiled program, see experiments.sweep.
TRACED = ('rate', 'encoder_rate', 'weight')
PAIRS = (('office_amazon', 'office_webcam'), ('office_webcam', 'office_caltech10'))


@dataclasses.dataclass(frozen=True)
class Config:
    """One method on a pair of domains of photographs."""

    method: str = 'dann'
    """source_only, labelled_target, or a method of docs/methods.md; those with a norm
    policy (adabn, dsbn, autodial, source_norm) need a network with batch norm."""
    source: str = 'office_amazon'
    """A domain listed by `python -m experiments.data list`, folder:PATH, npz:PATH or
    tfds:NAME."""
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
    bottleneck: int = 0
    """Width of a dense layer between the network and the classifier, 256 in public
    code; 0: none."""
    frozen: str = ''
    """The last of the layers that are not trained; '' trains all. Steps above a frozen
    block take less time and memory."""
    optimiser: str = 'adam'
    """adam, or sgd with momentum 0.9 and decay 1e-3."""
    classes: int = 0
    """Number of classes; by default read from the domain."""


def build(config: Config) -> runs.Experiment:
    """The experiment of a config."""
    pair_task = task(config)
    supervised = config.method == LABELLED
    recipe = recipes.get('source_only' if supervised else config.method)
    encoder = encoder_of(config, recipe)
    nets = networks.Networks(
        encoder,
        models.Classifier(photo_pairs.classes_of(config.source, config.classes)),
        models.Discriminator((256, 256)),
        models.DigitDecoder((config.size, config.size, 3)),
    )
    method = _make(config, recipe, nets, config.weight)

    def stage(name, *domains, method=method, start=None, logged=()):
        def stream(pair, previous):
            del previous
            return photo_pairs.stream(pair, config.batch, *domains)

        start = start or methods.start_from_previous
        return runs.Stage(name, config.steps, method, stream, start, logged)

    def load(seed, data_dir):
        pair = photo_pairs.load(pair_task, seed, data_dir)
        if config.bottleneck or recipe.norm != 'none':
            filled = photo_pairs.filled(
                pair.encoder, encoder, encoders.size(config.backbone), seed
            )
            pair = pair._replace(encoder=filled)
        return pair

    if supervised:
        stages = (stage('source', 'source'), stage('target', 'target_labelled'))
    elif config.method == 'source_only':
        stages = (stage('train', 'source'),)
    else:
        logged = recipe.logged_metrics
        if recipe.method in OF_LENET:
            logged = ()  # they name layers of LeNet
        both = ('source', 'target')
        stages = (stage('train', *both, start=recipe.start, logged=logged),)
    if recipe.start:
        first = _make(config, recipes.get(recipe.first), nets, None)
        stages = (stage('source', *both, method=first), *stages)
    return runs.Experiment(
        name='adaptation.photos',
        config=recipe.with_weight(config),
        method=config.method,
        task=str(pair_task),
        seeds=tuple(range(config.seeds)),
        data=load,
        held_out=photo_pairs.held_out,
        stages=stages,
        before=photo_pairs.before,
        classes=lambda pair: pair.classes,
        measure=functools.partial(
            runs.measure_adaptation, validate_as=recipe.validate_as
        ),
        evaluations=config.evaluations,
        golden=golden.digest(config.method),
        fast=cli.configs_equal(config, fast()),
        samples=lambda pair: {'source': pair.source, 'target': pair.target_test},
        inputs=functools.partial(photo_pairs.inputs, pair_task),
    )


def encoder_of(config: Config, recipe: recipes.Recipe) -> nn.Module:
    """The network with the norm policy of a method and the bottleneck.

    Raises:
      ValueError: no such network, or a policy for a network without norm layers.
    """
    norm = '' if recipe.norm == 'none' else recipe.norm
    encoder = encoders.build(config.backbone, norm)
    if config.bottleneck:
        return models.Bottleneck(encoder, config.bottleneck)
    return encoder


def _make(config, recipe, nets, weight):
    """The method of a recipe, with slow pretrained layers."""
    make = OPTIMISERS[config.optimiser]
    rate = optim.ganin_rate(config.steps, config.rate)
    new, slow = make(rate), make(optim.scaled(rate, config.encoder_rate))
    if config.bottleneck or config.frozen:
        slow = optim.grouped(functools.partial(_by_group, make, rate), _rules(config))
    return recipe.make(
        nets,
        {'encoder': slow, '': new},
        recipe.schedule(weight, config.steps),
        config.steps,
    )


def _by_group(make, rate, group):
    return make(optim.scaled(rate, group.rate))


def _rules(config):
    """Rates of the encoder's layers: 0 of frozen ones, full of the bottleneck."""
    rules = []
    if config.frozen:
        names = encoders.layers(config.backbone)
        choices.check('layer', config.frozen, names)
        last = names.index(config.frozen) + 1
        rules += [(f'{name}/.*', optim.Group(frozen=True)) for name in names[:last]]
    if config.bottleneck:
        rules.append(('bottleneck/.*', optim.Group()))
    return [*rules, ('.*', optim.Group(rate=config.encoder_rate))]


def task(config: Config) -> photo_pairs.Task:
    """The pair of domains, the network and the number of target labels.

    Raises:
      ValueError: no such method.
    """
    choices.check('method', config.method, ALL)
    choices.check('optimiser', config.optimiser, OPTIMISERS)
    if not config.classes:  # else data.load refuses an unknown name
        photo_pairs.classes_of(config.source)
        domain_specs.check(config.target)
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
