"""From scratch, frozen features, or fine-tuning: which, with how many images a class.

Published on whole Caltech-101, another network (Zeiler & Fergus 2014, table 4): 30
images of each class, pretrained and a new softmax 83.8 to 86.5, from scratch 46.5.

    python -m experiments.transfer.fine_tuning
    python -m experiments.transfer.fine_tuning --config.data folder:PATH
    python -m experiments.table transfer

Arms: scratch (random weights, all layers learn); svm (frozen features, linear SVM);
head (frozen features, new linear layer); small (all layers, pretrained ones slower
than the new layer); layerwise (each layer slower by a factor than the one above it);
full (all layers at one rate). Every arm but svm sees the same
images, flipped and zoomed into at random. No arm looks at the test images before the
end; rates were chosen on training images that were held out (--config.held-out 10
--config.counts 20 --config.seeds 1). Accuracy is that of the last step.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from experiments.tasks import encoders, training_trials
from transfer_jax import cli, data, methods, models, ops, shallow, training
from transfer_jax.data import features
from transfer_jax.reports import figures
from transfer_jax.runs import Study
from transfer_jax.training import optim
from transfer_jax.types import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ARMS = ('scratch', 'svm', 'head', 'small', 'layerwise', 'full')


@dataclasses.dataclass(frozen=True)
class Config:
    """The comparison on one set of photographs."""

    data: str = 'caltech101'
    """A domain of `python -m experiments.data list`, or folder:PATH."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 96
    """Side of the images in pixels."""
    counts: tuple[int, ...] = (5, 10, 20, 30)
    """Training images of each class."""
    arms: tuple[str, ...] = ARMS
    """scratch, svm, head, small, layerwise, full."""
    seeds: int = 3
    """Draws of the training images, and of what is random in training."""
    steps: int = 200
    scratch_steps: int = 400
    """Training from scratch is given more."""
    batch: int = 32
    rate: float = 1e-2
    """Adam's rate of the new layer, rising over a tenth of the steps and falling to 0
    as a cosine."""
    small: float = 0.03
    """Of arm small: rate of the pretrained layers over that of the new one."""
    full: float = 1e-3
    """Of arms full and scratch: one rate for all layers, the new one too."""
    decay: float = 0.2
    """Of layerwise: rate of a layer over that of the layer above it."""
    held_out: int = 0
    """To choose a rate by: so many training images of each class are tested, instead
    of the test images, and none of them is trained on."""
    cost: float = 1.0
    """C of the linear SVM, on features of unit length times the square root of their
    number."""


class Prepared(NamedTuple):
    """What the cells read."""

    domain: data.Domain
    encoder: encoders.Encoder
    train: np.ndarray  # (n, d) frozen features, scaled as the SVM wants them
    test: np.ndarray


def build(config: Config) -> Study:
    """The study of a config."""
    unknown = set(config.arms) - set(ARMS)
    if unknown:
        raise ValueError(f'no arm {unknown.pop()!r}; choose from {", ".join(ARMS)}')
    cells = tuple(
        {'arm': arm, 'n': n, 'seed': seed}
        for n in config.counts
        for seed in range(config.seeds)
        for arm in config.arms
    )
    return Study(
        name='transfer.fine_tuning',
        config=config,
        task=f'{config.data}, {config.backbone} at {config.size} pixels'
        + (f', {config.held_out} training images tested' if config.held_out else ''),
        cells=cells,
        prepare=lambda data_dir: prepare(config, data_dir),
        measure=lambda prepared, cell: measure(config, prepared, cell),
        across='n',
        figures=draw,
        fast=config == fast(),
    )


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """Images, weights, and the features of all images."""
    domain = data.load(config.data, size=config.size, data_dir=data_dir)
    if config.held_out:
        whole = domain.train
        rows = features.draw_per_class(whole.label, config.held_out, 0, domain.classes)
        rest = np.setdiff1d(np.arange(len(whole)), rows)
        domain = domain._replace(train=whole.take(rest), test=whole.take(rows))
    encoder = encoders.load(config.backbone, data_dir)
    found = [
        encoders.extract(config.backbone, encoder, part.image)
        for part in (domain.train, domain.test)
    ]
    return Prepared(domain, encoder, *map(_scaled, found))


def measure(config: Config, prepared: Prepared, cell: Mapping) -> dict[str, float]:
    """Accuracy of one arm, on one draw of training images."""
    domain = prepared.domain
    classes = len(domain.classes)
    rows = features.draw_per_class(
        domain.train.label, cell['n'], cell['seed'], domain.classes
    )
    if cell['arm'] == 'svm':
        return _svm(config, prepared, rows, classes)
    scratch = cell['arm'] == 'scratch'
    steps = config.scratch_steps if scratch else config.steps
    method = build_method(config, cell['arm'], classes, steps)
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
        seed=cell['seed'],
        transform=data.transforms.chain(
            data.transforms.flip(), data.transforms.zoom(0.5)
        ),
    )
    state = training_trials.train(method, start, stream, steps=steps, seed=cell['seed'])
    test = training_trials.held_out(domain.test, scale)
    return training_trials.score(method, state, test, classes)


@functools.cache  # one compiled step for all cells of an arm
def build_method(config: Config, arm: str, classes: int, steps: int) -> training.Method:
    """How an arm trains."""
    one_rate = arm in ('full', 'scratch')
    base = config.full if one_rate else config.rate
    rate = optim.warmup_cosine(steps, base, steps // 10)
    layers = encoders.layers(config.backbone)
    if arm == 'head':
        rules = [('.*', optim.Group(frozen=True))]
    elif arm == 'layerwise':
        rules = optim.layerwise(layers, config.decay, above=1)
    else:
        rules = [('.*', optim.Group(rate=config.small if arm == 'small' else 1.0))]

    def tx(group):
        return optim.adam(optim.scaled(rate, group.rate))

    return methods.fine_tuning(
        encoders.build(config.backbone),
        models.Classifier(classes),
        txs={'encoder': optim.grouped(tx, rules), 'classifier': optim.adam(rate)},
    )


def draw(rows: Sequence[dict]) -> dict[str, 'Figure']:
    """Accuracy by images of a class, a curve for each arm."""
    lines: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        line = lines.setdefault(row['arm'], {})
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
    """Rows of (n, d) of length sqrt(d)."""
    return np.asarray(ops.l2_normalise(x)) * np.sqrt(x.shape[1])


def sweep() -> Iterator[Config]:
    """The comparison of the README."""
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
