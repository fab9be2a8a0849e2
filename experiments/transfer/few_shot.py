"""Few labelled images of each class: class means, linear probes, fine-tuning.

Classifiers from n images of each class, on the features of a network trained on
ImageNet:

  nearest mean   distance to the class means (Mensink et al., TPAMI 2013; Snell et al.,
                 NIPS 2017)
  prototypes     the same for centred features of length 1 (SimpleShot, Wang et al.,
                 arXiv:1911.04623)
  svm, softmax   linear probes; 3 folds choose C if there are 5 images or more, else
                 C is 10
  fine-tuning    SGD with momentum on the layers after fire8 and a linear classifier,
                 from the pretrained weights and the softmax probe with C 10

Published for other data: SimpleShot finds the class means of centred, normalised
features as good as meta-learning (miniImageNet, 5 classes, 1 / 5 images: 64.3 / 81.5 %
with a WRN). No number is published for the images of Amazon.

    python -m experiments.transfer.few_shot
    python -m experiments.transfer.few_shot --config.domain caltech101

Images are drawn from the training part 100 times, for fine-tuning 10 times; the test is
on the whole test part. Features are SqueezeNet's fire9, averaged over positions and
divided by their length. Each of the 40 steps of fine-tuning sees all images of the
draw, or 100 random ones if there are more. Its rate was fixed in advance.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.tasks import choices, photo_features, training_trials
from transfer_jax import cli, data, models, ops, runs, shallow
from transfer_jax.data import features
from transfer_jax.recipes import backbones
from transfer_jax.reports import figures
from transfer_jax.types import Samples

DOMAINS = ('office_amazon', 'office_caltech10', 'caltech101', 'fake')
MEANS = {
    'nearest mean': shallow.nearest_class_mean,
    'prototypes': shallow.prototypes,
}
PROBES = ('svm', 'softmax')
WEIGHTS = ('pretrained', 'random')
CUT = 'fire8'  # fine-tuning trains the layers after it
COSTS, COST, FOLDS, FOLDS_FROM = (0.1, 1.0, 10.0, 100.0), 10.0, 3, 5
MOMENTUM = 0.9
MOST = 100  # images in a step


@dataclasses.dataclass(frozen=True)
class Config:
    """Classifiers from few labelled images of each class."""

    domain: str = 'office_amazon'
    """office_amazon, office_caltech10 or caltech101."""
    size: int = 128
    """Side of the images in pixels."""
    counts: str = '1,2,5,10,20'
    """Training images of each class, separated by commas."""
    draws: int = 100
    """Draws of the training images."""
    tuned_draws: int = 10
    """Draws for fine-tuning."""
    steps: int = 40
    """Steps of fine-tuning."""
    rate: float = 0.003
    """Learning rate of fine-tuning."""
    weights: str = 'pretrained'
    """pretrained, or random as a baseline."""


class Prepared(NamedTuple):
    """Activations of all images, and their labels."""

    train: dict[str, np.ndarray]  # {'pooled': (n, d), 'cut': (n, h, w, c)}
    test: dict[str, np.ndarray]
    label: np.ndarray
    test_label: np.ndarray
    classes: int
    params: Any  # of the layers after CUT


def build(config: Config) -> runs.Study:
    """The study of a config."""
    choices.check('domain', config.domain, DOMAINS)
    choices.check('weights', config.weights, WEIGHTS)
    counts = [int(n) for n in config.counts.split(',')]
    draws = dict.fromkeys((*MEANS, *PROBES), config.draws)
    draws['fine-tuning'] = config.tuned_draws
    trials = [
        {'method': method, 'n': n, 'seed': seed}
        for method in draws
        for n in counts
        for seed in range(draws[method])
    ]
    title = f'{config.domain}, {config.size} px'
    return runs.Study(
        name='transfer.few_shot',
        config=config,
        task=f'{title}, {config.weights} SqueezeNet',
        trials=tuple(trials),
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config),
        across='n',
        figures=lambda rows: {'Few images': draw(rows, title)},
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """Amazon's images, and 20 classes of Caltech-101."""
    yield Config()
    yield Config('caltech101')


def fast() -> Config:
    """A run of seconds: generated images, random weights."""
    return Config('fake', 33, '5', 1, 1, 2, weights='random')


def draw(rows: Sequence[Mapping[str, Any]], title: str):
    """Accuracy by images of a class, with 95 % intervals of the mean."""
    lines: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        line = lines.setdefault(row['method'], {})
        line.setdefault(row['n'], []).append(row['accuracy'])
    label = 'training images of each class'
    return figures.bands(lines, title, label, interval=True, logarithmic=True)


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    domain = data.load(config.domain, size=config.size, data_dir=data_dir)
    wanted = {
        'pooled': ('fire9', photo_features.average),
        'cut': (CUT, lambda x: x),
    }
    random = 0 if config.weights == 'random' else None
    train, test = (
        photo_features.features(
            'squeezenet', part.image, wanted, data_dir=data_dir, random=random
        )
        for part in (domain.train, domain.test)
    )
    for part in (train, test):
        part['pooled'] = np.asarray(ops.l2_normalise(part['pooled']))
    if random is None:
        params = backbones.load('squeezenet', data_dir)[0]
        params = {'fire9': params['fire9']}
    else:
        first = train['cut'][:1]
        params = _after_cut().init(jax.random.key(1), first, train=False)['params']
    return Prepared(
        train, test, domain.train.label, domain.test.label, len(domain.classes), params
    )


def _measure(config, prepared, trial):
    method, n, seed = trial['method'], trial['n'], trial['seed']
    rows = features.draw_per_class(prepared.label, n, seed)
    samples = Samples(
        prepared.train['pooled'][rows],
        prepared.label[rows],
        np.ones(len(rows), np.float32),
    )
    if method == 'fine-tuning':
        logits = _fine_tuned(config, prepared, samples, rows, seed)
    elif method in MEANS:
        test = prepared.test['pooled']
        logits = _class_means(method, prepared.classes, samples, test)
    else:
        cost = COST
        if n >= FOLDS_FROM:
            choice = shallow.choose_cost(
                jax.random.key(seed),
                samples,
                kind=method,
                classes=prepared.classes,
                costs=COSTS,
                folds=FOLDS,
            )
            cost = float(choice.cost)
        fitted = shallow.linear_path(method, prepared.classes, (cost,))(samples)
        logits = shallow.linear_scores(fitted, prepared.test['pooled'])[0]
    return training_trials.score_logits(
        np.asarray(logits), prepared.test_label, prepared.classes
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _class_means(method, classes, samples, test):
    classifier = MEANS[method](classes)
    return classifier.logits(classifier.fit(None, samples, None), test)


def _after_cut():
    return models.SqueezeNet(classes=0, start_after=CUT)


def _fine_tuned(config, prepared, samples, rows, seed):
    """Logits after SGD on the layers after CUT and on the probe above them."""
    probe = shallow.softmax_regression(prepared.classes, COST)
    fitted = probe.fit(None, samples, None)
    params = {
        'after': prepared.params,
        'weight': jnp.asarray(fitted.weight, jnp.float32),
        'bias': jnp.asarray(fitted.bias, jnp.float32),
    }
    state = (params, optax.sgd(config.rate, MOMENTUM).init(params))
    rng = np.random.default_rng([seed, 1])
    for _ in range(config.steps):
        batch = rows
        if len(rows) > MOST:
            batch = rng.choice(rows, MOST, replace=False)
        image, label = prepared.train['cut'][batch], prepared.label[batch]
        state = _step(config.rate, state, image, label)
    test = prepared.test['cut']
    parts = [_logits(state[0], test[i : i + MOST]) for i in range(0, len(test), MOST)]
    return np.concatenate(parts)


@jax.jit
def _logits(params, x):
    pooled, _ = _after_cut().apply({'params': params['after']}, x, train=False)
    return ops.l2_normalise(pooled) @ params['weight'] + params['bias']


@jax.jit
def _step(rate, state, x, label):
    tx = optax.sgd(rate, MOMENTUM)

    def loss(params):
        logits = _logits(params, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

    params, opt_state = state
    updates, opt_state = tx.update(jax.grad(loss)(params), opt_state, params)
    return optax.apply_updates(params, updates), opt_state


if __name__ == '__main__':
    cli.main(Config, build)
