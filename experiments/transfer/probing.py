"""Linear probes of every layer of a pretrained network (Zeiler and Fergus, ECCV 2014).

SVM(i) and softmax(i) are trained on the features of layer i of a network with fixed
weights: pretrained on ImageNet, or random (same initialiser, one seed). The last layer
also has a head with one hidden layer.

Published (table 7), Caltech-101 with 30 images a class of 101: SVM (1) 44.8 +- 0.7, (2)
66.2, (3) 72.3, (4) 76.6, (5) 86.2, (7) 85.5; softmax (5) 82.9, (7) 85.4. That is an
AlexNet, tested on other images of the 101 classes. The default has a smaller network
and an easier set, 20 of the classes with 20 test images each: it reproduces the rise
with depth, not the numbers.

    python -m experiments.transfer.probing
    python -m experiments.transfer.probing --config.domain office_amazon \
        --config.network mobilenet_v1 --config.size 128
    python -m experiments.transfer.probing --config.network alexnet \
        --config.domain lazy:folder:PATH --config.counts 60

Features: the concatenated means of 2 x 2 parts of a layer's map (4 c numbers; 512 to
2,048 for SqueezeNet's fires), the whole vector of a dense layer, and the mean of the
tokens of a transformer, divided by their length. Training images are drawn from the
training part; 30 of each class are all of Caltech-101's, so there is one draw. The test
is on the whole test part. 3 folds of the drawn images choose C. The number is the mean
accuracy over classes.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.tasks import (
    choices,
    domain_specs,
    draws,
    photo_domains,
    photo_features,
    training_trials,
)
from transfer_jax import cli, ops, runs, shallow
from transfer_jax.recipes import backbones
from transfer_jax.reports import figures
from transfer_jax.types import Samples

# Every layer of SqueezeNet but its pools; every second or third block of the
# MobileNets. Of other networks photo_features.thinned.
LAYERS = {
    'squeezenet': ('conv1', *(f'fire{i}' for i in range(2, 10))),
    'mobilenet_v1': ('conv1', *(f'block{i}' for i in range(1, 14, 2))),
    'mobilenet_v2': ('conv1', *(f'block{i}' for i in range(1, 17, 3)), 'conv2'),
}
PROBES = ('svm', 'softmax')
WEIGHTS = ('pretrained', 'random')
COSTS = (0.1, 1.0, 10.0, 100.0)  # of features of length 1
FOLDS = 3
HIDDEN, HIDDEN_STEPS, HIDDEN_RATE, HIDDEN_DECAY = 256, 200, 0.003, 1e-3
COMMON = 2048  # up to so many training images, all layers share one shape
WHOLE = 30  # images of each class: all of Caltech-101's training part


@dataclasses.dataclass(frozen=True)
class Config:
    """Linear probes of the layers of one network on one data set."""

    network: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    domain: str = 'caltech101'
    """A domain listed by `python -m experiments.data list`, folder:PATH, npz:PATH or
    tfds:NAME; with lazy: before it, images are decoded as they are needed."""
    size: int = 224
    """Side of the images in pixels; those of Office-Caltech10 have 128."""
    counts: str = '5,30'
    """Training images of each class, separated by commas, 0 for the whole training
    part; at most 20 with Office-Caltech10."""
    draws: int = 3
    """Draws of the training images."""
    grid: int = 2
    """Averaged parts of a map along each side; 1 is the global average."""
    weights: str = 'pretrained,random'
    """pretrained, random, or both."""
    layers: str = ''
    """Layers, separated by commas; by default about nine, with the first and the
    last."""


def build(config: Config) -> runs.Study:
    """The study of a config."""
    backbones.get(config.network)  # raises for an unknown name
    photo_domains.check(config.domain)
    weights = config.weights.split(',')
    for name in weights:
        choices.check('weights', name, WEIGHTS)
    layers = _layers(config)
    counts = draws.parse(config.counts)
    kinds = [(layer, probe) for layer in layers for probe in PROBES]
    trials = [
        {'weights': name, 'layer': layer, 'probe': probe, 'n': n, 'seed': seed}
        for name in weights
        for layer, probe in [*kinds, (layers[-1], 'hidden')]
        for n in counts
        for seed in range(_draws(config, n))
    ]
    domain = domain_specs.short_name(config.domain)
    title = f'{config.network} on {domain}, {config.size} px'
    return runs.Study(
        name='transfer.probing',
        config=config,
        task=title,
        trials=tuple(trials),
        prepare=functools.partial(_prepare, config),
        measure=_measure,
        across='n',
        values=('class_accuracy',),
        figures=lambda rows: draw(rows, title),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The three networks on Caltech-101 and on Amazon's images."""
    for network in LAYERS:
        yield Config(network)
        yield Config(network, 'office_amazon', 128, '5,20')


def fast() -> Config:
    """A run of seconds: generated images, random weights."""
    return Config('squeezenet', 'fake', 33, '2', 1, 1, 'random')


def draw(rows: Sequence[Mapping[str, Any]], title: str) -> dict[str, Any]:
    """Accuracy by depth, a figure for each kind of probe."""
    layers = list(dict.fromkeys(row['layer'] for row in rows))
    drawn = {}
    for probe in PROBES:
        lines: dict[str, dict[float, list[float]]] = {}
        for row in rows:
            if row['probe'] != probe:
                continue
            name = f'{row["weights"]}, {row["n"]} a class'
            line = lines.setdefault(name, {})
            depth = layers.index(row['layer']) + 1
            line.setdefault(depth, []).append(row['class_accuracy'])
        figure = figures.bands(lines, f'{probe}: {title}', 'layer')
        axes = figure.axes[0]
        axes.set_xticks(range(1, len(layers) + 1), layers, rotation=45)
        drawn[f'Probes, {probe}'] = figure
    return drawn


def _layers(config):
    if config.layers:
        known = photo_features.layers(config.network)
        return [choices.check('layer', x, known) for x in config.layers.split(',')]
    names = LAYERS.get(config.network) or photo_features.thinned(config.network)
    return names[:1] + names[-1:] if config.domain == 'fake' else names


def _draws(config, n):
    whole = config.domain == 'caltech101' and n == WHOLE
    return 1 if whole else draws.number(n, config.draws)


def _prepare(config: Config, data_dir: str | None):
    """(training labels, test labels, classes, (weights, layer) -> features of both)."""
    domain = photo_domains.load(config.domain, size=config.size, data_dir=data_dir)
    image = photo_domains.joined([domain.train, domain.test])
    pool = functools.partial(photo_features.grid_or_vector, size=config.grid)

    @functools.cache
    def extracted(weights):
        return photo_features.features(
            config.network,
            image,
            {layer: (layer, pool) for layer in _layers(config)},
            data_dir=data_dir,
            random=0 if weights == 'random' else None,
        )

    @functools.lru_cache(maxsize=2)  # float64: one layer after another
    def unit_length(weights, layer):
        with jax.enable_x64(True):
            x = np.asarray(ops.l2_normalise(np.float64(extracted(weights)[layer])))
        return _span(x[: len(domain.train)], x[len(domain.train) :])

    return domain.train.label, domain.test.label, len(domain.classes), unit_length


def _span(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in coordinates of the span of the n training images, (., n).

    The predictions of an L2-regularised linear classifier do not change; all layers
    then have one shape, and one compiled program serves them all. Features fewer than
    many images stay as they are.
    """
    n, d = train.shape
    if d <= n:
        if n > COMMON:
            return train, test
        pad = ((0, 0), (0, n - d))
        return np.pad(train, pad), np.pad(test, pad)
    basis, triangle = np.linalg.qr(train.T)
    return triangle.T, test @ basis


def _measure(prepared, trial):
    label, test_label, classes, load = prepared
    train, test = load(trial['weights'], trial['layer'])
    rows = draws.rows(label, trial['n'], trial['seed'])
    samples = Samples(train[rows], label[rows], np.ones(len(rows)))
    if trial['probe'] == 'hidden':
        logits, choice = _hidden(samples, test, classes, trial['seed']), {}
    else:
        kind, key = trial['probe'], jax.random.key(trial['seed'])
        chosen = shallow.choose_cost(
            key, samples, kind=kind, classes=classes, costs=COSTS, folds=FOLDS
        )
        cost = float(chosen.cost)
        fitted = shallow.linear_path(kind, classes, (cost,))(samples)
        logits = np.asarray(shallow.linear_scores(fitted, test))[0]
        choice = {'cost': cost, 'converged': bool(fitted.converged[0])}
    return {**training_trials.score_logits(logits, test_label, classes), **choice}


def _hidden(samples, test, classes, seed):
    """Logits of a head with one hidden layer, trained by Adam on all examples."""
    scale = np.sqrt(test.shape[1])  # components of about 1
    x, test = (jnp.asarray(scale * a, jnp.float32) for a in (samples.x, test))
    return np.asarray(
        _hidden_logits(classes, jax.random.key(seed), x, samples.label, test)
    )


@functools.partial(jax.jit, static_argnums=0)
def _hidden_logits(classes, key, x, label, test):
    keys = jax.random.split(key)
    params = {
        'hidden': jax.random.normal(keys[0], (x.shape[1], HIDDEN)) / x.shape[1] ** 0.5,
        'out': jax.random.normal(keys[1], (HIDDEN, classes)) / HIDDEN**0.5,
        'bias': jnp.zeros(HIDDEN),
    }
    tx = optax.adamw(HIDDEN_RATE, weight_decay=HIDDEN_DECAY)

    def logits(params, x):
        return jax.nn.relu(x @ params['hidden'] + params['bias']) @ params['out']

    def loss(params):
        losses = optax.softmax_cross_entropy_with_integer_labels(
            logits(params, x), label
        )
        return losses.mean()

    def step(_, state):
        params, opt_state = state
        updates, opt_state = tx.update(jax.grad(loss)(params), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    state = (params, tx.init(params))
    return logits(jax.lax.fori_loop(0, HIDDEN_STEPS, step, state)[0], test)


if __name__ == '__main__':
    cli.main(Config, build)
