"""From scratch, frozen features or fine-tuning, by the number of training images.

Published on whole Caltech-101, another network (Zeiler & Fergus 2014, table 4): 30
images of each class, pretrained and a new softmax 83.8 to 86.5, from scratch 46.5.

    python -m experiments.transfer.fine_tuning
    python -m experiments.transfer.fine_tuning --config.data folder:PATH
    python -m experiments.transfer.fine_tuning --config.data lazy:folder:PATH \
        --config.backbone resnet50 --config.size 224 --config.counts 0
    python -m experiments.table transfer

Methods:

  scratch    random weights, all layers learn
  svm        frozen features, linear SVM
  head       frozen features, new linear layer
  small      all layers learn, pretrained ones slower than the new layer
  layerwise  all layers learn, each slower by a factor than the layer above it
  full       all layers learn at one rate

Every method but svm sees the same images, flipped and zoomed into at random. Test
images are read only at the end. Rates were chosen on held-out training images
(--config.held-out 10 --config.counts 20 --config.seeds 1). Accuracy is that of the last
step.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
import optax

from experiments.tasks import (
    choices,
    domain_specs,
    draws,
    evaluation_data,
    photo_domains,
    training_trials,
)
from transfer_jax import cli, data, methods, models, ops, shallow, training
from transfer_jax.data import features
from transfer_jax.recipes import encoders
from transfer_jax.reports import figures
from transfer_jax.runs import Study
from transfer_jax.training import optim
from transfer_jax.types import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ('scratch', 'svm', 'head', 'small', 'layerwise', 'full')


@dataclasses.dataclass(frozen=True)
class Config:
    """The comparison on one data set of photographs."""

    data: str = 'caltech101'
    """A domain listed by `python -m experiments.data list`, folder:PATH, npz:PATH or
    tfds:NAME; with lazy: before it, images are decoded as they are needed."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 96
    """Side of the images in pixels."""
    counts: tuple[int, ...] = (5, 10, 20, 30)
    """Training images of each class; 0 for the whole training part."""
    methods: tuple[str, ...] = METHODS
    """scratch, svm, head, small, layerwise, full."""
    seeds: int = 3
    """Draws of the training images and of the randomness in training."""
    steps: int = 200
    scratch_steps: int = 400
    """Steps of training from scratch."""
    batch: int = 32
    rate: float = 1e-2
    """Adam's rate of the new layer, rising over a tenth of the steps and falling to 0
    as a cosine."""
    small: float = 0.03
    """For method small: rate of the pretrained layers over that of the new one."""
    full: float = 1e-3
    """For methods full and scratch: the rate of all layers."""
    decay: float = 0.2
    """For method layerwise: rate of a layer over that of the layer above it."""
    held_out: int = 0
    """To choose a rate: training images of each class that are held out and tested
    instead of the test images."""
    cost: float = 1.0
    """C of the linear SVM, on features of unit length times the square root of their
    number."""


class Prepared(NamedTuple):
    """What the trials read."""

    domain: data.Domain
    encoder: encoders.Encoder
    # Frozen features (n, d), scaled for the SVM; None where no method is svm
    train: np.ndarray | None
    test: np.ndarray | None


def build(config: Config) -> Study:
    """The study of a config."""
    for name in config.methods:
        choices.check('method', name, METHODS)
    photo_domains.check(config.data)
    encoders.build(config.backbone)  # raises for an unknown name
    trials = tuple(
        {'method': name, 'n': n, 'seed': seed}
        for n in config.counts
        for seed in range(config.seeds)
        for name in config.methods
    )
    return Study(
        name='transfer.fine_tuning',
        config=config,
        task=f'{domain_specs.short_name(config.data)}, {config.backbone} at '
        f'{config.size} pixels'
        + (f', {config.held_out} training images tested' if config.held_out else ''),
        trials=trials,
        prepare=lambda data_dir: prepare(config, data_dir),
        measure=lambda prepared, trial: measure(config, prepared, trial),
        across='n',
        figures=draw,
        fast=config == fast(),
    )


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """Images, weights, and the features of all images."""
    domain = photo_domains.load(config.data, size=config.size, data_dir=data_dir)
    if config.held_out:
        whole = domain.train
        rows = features.draw_per_class(whole.label, config.held_out, 0, domain.classes)
        rest = np.setdiff1d(np.arange(len(whole)), rows)
        domain = domain._replace(train=whole.take(rest), test=whole.take(rows))
    encoder = encoders.load(config.backbone, data_dir)
    if 'svm' not in config.methods:
        return Prepared(domain, encoder, None, None)
    extracted = [
        encoders.extract(config.backbone, encoder, photo_domains.images_of(part))
        for part in (domain.train, domain.test)
    ]
    return Prepared(domain, encoder, *map(_scaled, extracted))


def measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    """Test accuracy of one method, on one draw of training images."""
    domain = prepared.domain
    classes = len(domain.classes)
    rows = draws.rows(domain.train.label, trial['n'], trial['seed'], domain.classes)
    if trial['method'] == 'svm':
        return _svm(config, prepared, rows, classes)
    scratch = trial['method'] == 'scratch'
    steps = config.scratch_steps if scratch else config.steps
    method = build_method(config, trial['method'], classes, steps)
    start = None
    if not scratch:
        encoder = prepared.encoder
        start = methods.start_from(
            {'encoder': encoder.params}, {'encoder': encoder.model_state}
        )
    scale = prepared.encoder.scale
    part = domain.train.take(rows)
    stream = training_trials.labelled(
        part,
        scale,
        batch=min(config.batch, len(part)),
        seed=trial['seed'],
        transform=data.transforms.chain(
            data.transforms.flip(), data.transforms.zoom(0.5)
        ),
    )
    state = training_trials.train(
        method, start, stream, steps=steps, seed=trial['seed']
    )
    test = evaluation_data.batches(domain.test, scale)
    return training_trials.score(method, state, test, classes)


@functools.cache  # one compiled step for all trials of a method
def build_method(
    config: Config, name: str, classes: int, steps: int
) -> training.Method:
    """The training of one of METHODS but svm."""
    one_rate = name in ('full', 'scratch')
    base = config.full if one_rate else config.rate
    rate = optim.scaled(
        optax.warmup_cosine_decay_schedule(0.0, 1.0, steps // 10, steps), base
    )
    layers = encoders.layers(config.backbone)
    if name == 'head':
        rules = [('.*', optim.Group(frozen=True))]
    elif name == 'layerwise':
        rules = optim.layerwise(layers, config.decay, above=1)
    else:
        rules = [('.*', optim.Group(rate=config.small if name == 'small' else 1.0))]

    def tx(group):
        return optim.adam(optim.scaled(rate, group.rate))

    return methods.fine_tuning(
        encoders.build(config.backbone),
        models.Classifier(classes),
        txs={'encoder': optim.grouped(tx, rules), 'classifier': optim.adam(rate)},
    )


def draw(rows: Sequence[dict]) -> dict[str, 'Figure']:
    """Accuracy by images of a class, a curve for each method."""
    lines: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        line = lines.setdefault(row['method'], {})
        line.setdefault(row['n'], []).append(row['accuracy'])
    title = 'Accuracy on the test images'
    figure = figures.bands(lines, title, 'training images of each class')
    return {'fine_tuning': figure}


def _svm(config, prepared, rows, classes) -> dict[str, float]:
    label = prepared.domain.train.label[rows]
    samples = Samples(prepared.train[rows], label, np.ones(len(rows)))
    with jax.enable_x64(True):
        svm = shallow.linear_svm(classes, config.cost)
        logits = svm.logits(svm.fit(jax.random.key(0), samples, None), prepared.test)
    return training_trials.score_logits(
        np.asarray(logits), prepared.domain.test.label, classes
    )


def _scaled(x: np.ndarray) -> np.ndarray:
    """Rows (n, d) scaled to length sqrt(d)."""
    return np.asarray(ops.l2_normalise(x)) * np.sqrt(x.shape[1])


def sweep() -> Iterator[Config]:
    """The comparison of docs/transfer.md."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        data='fake',
        backbone='tiny',
        size=32,
        counts=(2, 4),
        seeds=1,
        steps=2,
        scratch_steps=2,
    )


if __name__ == '__main__':
    cli.main(Config, build)
