"""The experiment of one method on a user's own photographs.

A model folder names this module: `Config` and `build` are how a trained model is built
again, without any photograph.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from transfer_jax import data, methods, models, recipes, runs, selection, training
from transfer_jax.adapt import photographs
from transfer_jax.recipes import encoders, networks
from transfer_jax.runs import scoring
from transfer_jax.training import optim

# Chosen by validators on four pairs of Office-Caltech10, see docs/adapt.md
DEFAULT, DEFAULT_WEIGHT = 'mcc', 10.0
Load = Callable[[int], photographs.Photographs]  # of a seed
# (encoder, classifier, txs=...) -> method, as the functions of transfer_jax.methods
MethodFunction = Callable[..., training.Method]


@dataclasses.dataclass(frozen=True)
class Config:
    """One method on two sets of photographs. None: chosen from their numbers."""

    method: str = DEFAULT
    backbone: str | None = None
    size: int | None = None
    """Side of the images in pixels."""
    norm: str | None = None
    """Batch-norm policy."""
    steps: int | None = None
    """Steps of each stage; some methods have two."""
    batch: int | None = None
    """Images of each domain in a step."""
    rate: float = 1e-3
    """Adam's rate of the new layers at the start."""
    encoder_rate: float | None = None
    """Rate of the pretrained layers over that of the new ones."""
    weight: float | None = None
    """Weight of the loss that the method adds; by default 10 for MCC, the published one
    for others."""
    balanced: bool | None = None
    """Source batches have equally many images of each class; by default as the method.
    Source only beside a method has the same batches."""
    augment: bool = True
    """Flip and zoom into training images at random."""
    seeds: int = 1
    evaluations: int = 8
    classes: int = 0
    target_test: bool = False
    """Whether target labels are known for a test."""
    images: str = ''
    """What the run is trained on: numbers of images and a digest."""

    @property
    def domains(self) -> int:
        """How many batch statistics each norm layer has."""
        return 1 if self.norm in ('none', 'joint') else 2


class Given(NamedTuple):
    """What a user's own code gives in place of names, and of flips and zooms."""

    encoder: nn.Module | None = None
    method: MethodFunction | None = None
    transform: data.transforms.Transform | None = None


def build(
    config: Config, load: Load | None = None, given: Given | None = None
) -> runs.Experiment:
    """The experiment of a config whose choices are all made, see plan.resolve.

    Args:
      load: None for a model that predicts and is not trained.
      given: what has no name.
    """
    given = given or Given()
    recipe = recipes.get('source_only' if given.method else config.method)
    pretrained = given.encoder is not None or not encoders.is_random(config.backbone)
    rules = {
        'numbers': scoring.WITHOUT_TARGET_LABELS,
        'rules': selection.WITHOUT_TARGET_LABELS,
    }
    return runs.Experiment(
        name='adapt',
        config=config,
        method=_name(given.method) if given.method else config.method,
        task=f'{config.backbone} {config.size}, {config.images}',
        seeds=tuple(range(config.seeds)),
        data=lambda seed, data_dir: load(seed),
        held_out=photographs.held_out,
        stages=_stages(config, recipe, given, pretrained),
        before=photographs.before if pretrained else None,
        classes=lambda data: data.classes,
        evaluations=config.evaluations,
        measure=functools.partial(
            runs.measure_adaptation, validate_as=recipe.validate_as
        ),
        compared=runs.Compared(
            config.norm,
            f'{config.backbone}, {config.norm}',
            f'{config.batch} images, rate {config.rate}',
            baseline=config.method == 'source_only',
        ),
        inputs=photographs.inputs,
        **({} if config.target_test else rules),
    )


def _stages(config, recipe, given, pretrained) -> tuple[runs.Stage, ...]:
    """One stage; two for a method that starts from the state of another."""
    encoder = given.encoder or encoders.build(config.backbone, config.norm)
    nets = networks.Networks(
        encoder, models.Classifier(config.classes), models.Discriminator((256, 256))
    )
    rate = optim.ganin_rate(config.steps, config.rate)
    slow = optim.adam(optim.scaled(rate, config.encoder_rate))
    txs = {'encoder': slow, '': optim.adam(rate)}
    # Source-only training without batch norm needs no target images.
    plain = config.method == 'source_only' and not given.method
    alone = plain and config.norm == 'none'
    domains = ('source',) if alone else ('source', 'target')
    usual = photographs.flips_and_zooms() if config.augment else None

    def stage(name, method, start, logged=()):
        def stream(given_images, previous):
            del previous
            return photographs.stream(
                given_images,
                config.batch,
                domains,
                transform=given.transform or usual,
                balanced=config.balanced,
            )

        return runs.Stage(name, config.steps, method, stream, start, logged)

    first = methods.start_from_previous if pretrained else None
    if given.method:
        return (stage('train', _own(given.method, nets, txs, config), first),)

    def make(recipe, weight):
        schedule = recipe.schedule(weight, config.steps)
        return recipe.make(nets, txs, schedule, config.steps)

    logged, last = recipe.logged_metrics, make(recipe, config.weight)
    if not recipe.start:
        return (stage('train', last, first, logged),)
    before = stage('source', make(recipes.get(recipe.first), None), first)
    return before, stage('train', last, recipe.start, logged)


def _name(function) -> str:
    inner = getattr(function, 'func', function)  # of a functools.partial
    return getattr(inner, '__name__', type(inner).__name__)


def _own(function, nets, txs, config) -> training.Method:
    """The method of a user's function, with the slow optimiser for its encoder."""
    side = config.size
    image = jnp.zeros((config.batch, side, side, 3))
    batch = {
        'source': {'image': image, 'label': jnp.zeros(config.batch, jnp.int32)},
        'target': {'image': image},
    }
    one = function(nets.encoder, nets.classifier, txs=txs[''])
    names: Sequence[str] = jax.eval_shape(one.init, jax.random.key(0), batch).params
    by_name = {name: txs.get(name, txs['']) for name in names}
    return function(nets.encoder, nets.classifier, txs=by_name)
