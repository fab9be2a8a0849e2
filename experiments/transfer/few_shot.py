"""Few labelled images of each class: class means, linear probes, fine-tuning.

Classifiers from n images of each class, on the features of a network trained on
ImageNet:

  nearest mean   distance to the class means (Mensink et al., TPAMI 2013; Snell et al.,
                 NIPS 2017)
  prototypes     the same for centred features of length 1 (SimpleShot, Wang et al.,
                 arXiv:1911.04623)
  svm, softmax   linear probes; 3 folds choose C if there are 5 images or more, else
                 C is 10
  fine-tuning    SGD with momentum on the last layer and a linear classifier, from the
                 pretrained weights and the softmax probe with C 10

Published for other data: SimpleShot finds the class means of centred, normalised
features as good as meta-learning (miniImageNet, 5 classes, 1 / 5 images: 64.3 / 81.5 %
with a WRN). No number is published for the images of Amazon.

    python -m experiments.transfer.few_shot
    python -m experiments.transfer.few_shot --config.domain caltech101
    python -m experiments.transfer.few_shot --config.network alexnet \
        --config.domain folder:PATH --config.size 224

Images are drawn from the training part 100 times, for fine-tuning 10 times; the test is
on the whole test part. Features are the output of the network below its classifier
(SqueezeNet's fire9, averaged over positions), divided by their length. Fine-tuning
keeps in memory the activations below the last layer that has parameters, of all images
(SqueezeNet's fire8; --config.tuned-draws 0 leaves it out). Each of its 40 steps sees
all images of the draw, or 100 random ones if there are more. Its rate was fixed in
advance.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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

MEANS = {
    'nearest mean': shallow.nearest_class_mean,
    'prototypes': shallow.prototypes,
}
PROBES = ('svm', 'softmax')
WEIGHTS = ('pretrained', 'random')
COSTS, COST, FOLDS, FOLDS_FROM = (0.1, 1.0, 10.0, 100.0), 10.0, 3, 5
MOMENTUM = 0.9
MOST = 100  # images in a step


@dataclasses.dataclass(frozen=True)
class Config:
    """Classifiers from few labelled images of each class."""

    domain: str = 'office_amazon'
    """A domain listed by `python -m experiments.data list`, folder:PATH, npz:PATH or
    tfds:NAME; with lazy: before it, images are decoded as they are needed."""
    size: int = 128
    """Side of the images in pixels."""
    counts: str = '1,2,5,10,20'
    """Training images of each class, separated by commas; 0 for the whole training
    part."""
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
    network: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""


class Prepared(NamedTuple):
    """Activations of all images, and their labels."""

    train: dict[str, np.ndarray]  # {'pooled': (n, d), 'cut': (n, h, w, c)}
    test: dict[str, np.ndarray]
    label: np.ndarray
    test_label: np.ndarray
    classes: int
    variables: Any  # of the layers that fine-tuning trains


def build(config: Config) -> runs.Study:
    """The study of a config."""
    photo_domains.check(config.domain)
    backbones.get(config.network)  # raises for an unknown name
    choices.check('weights', config.weights, WEIGHTS)
    counts = draws.parse(config.counts)
    repeats = dict.fromkeys((*MEANS, *PROBES), config.draws)
    repeats['fine-tuning'] = config.tuned_draws
    trials = [
        {'method': method, 'n': n, 'seed': seed}
        for method in repeats
        for n in counts
        for seed in range(min(repeats[method], draws.number(n, repeats[method])))
    ]
    title = f'{domain_specs.short_name(config.domain)}, {config.size} px'
    network = 'SqueezeNet' if config.network == 'squeezenet' else config.network
    return runs.Study(
        name='transfer.few_shot',
        config=config,
        task=f'{title}, {config.weights} {network}',
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
    domain = photo_domains.load(config.domain, size=config.size, data_dir=data_dir)
    wanted = {'pooled': (photo_features.layers(config.network)[-1], _flat)}
    if config.tuned_draws:
        wanted['cut'] = (_cut(config.network), lambda x: x)
    random = 0 if config.weights == 'random' else None
    train, test = (
        photo_features.features(
            config.network,
            photo_domains.images_of(part),
            wanted,
            data_dir=data_dir,
            random=random,
        )
        for part in (domain.train, domain.test)
    )
    for part in (train, test):
        part['pooled'] = np.asarray(ops.l2_normalise(part['pooled']))
    variables = None
    if config.tuned_draws:
        init = functools.partial(_after_cut(config.network).init, train=False)
        variables = init(jax.random.key(1), train['cut'][:1])
        if random is None:
            params, state = backbones.load(config.network, data_dir)
            variables = _only({'params': params, **state}, variables)
    return Prepared(
        train,
        test,
        domain.train.label,
        domain.test.label,
        len(domain.classes),
        variables,
    )


def _measure(config, prepared, trial):
    method, n, seed = trial['method'], trial['n'], trial['seed']
    rows = draws.rows(prepared.label, n, seed)
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
        if n >= FOLDS_FROM or n == draws.ALL:
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


def _flat(x):
    """The output of an encoder as vectors (n, d)."""
    return photo_features.average(x) if x.ndim == 4 else photo_features.vector(x)


def _cut(network):
    """The layer before the last one with parameters; fine-tuning trains those after."""
    names = photo_features.layers(network)
    return names[names.index(photo_features.thinned(network, len(names))[-1]) - 1]


def _after_cut(network):
    return backbones.get(network).module(classes=0, start_after=_cut(network))


def _only(whole, part):
    """The leaves of `whole` at the paths of `part`."""
    if not isinstance(part, Mapping):
        return whole
    return {key: _only(whole[key], below) for key, below in part.items()}


def _fine_tuned(config, prepared, samples, rows, seed):
    """Logits after SGD on the layers after CUT and on the probe above them."""
    probe = shallow.softmax_regression(prepared.classes, COST)
    fitted = probe.fit(None, samples, None)
    state = {k: v for k, v in prepared.variables.items() if k != 'params'}
    params = {
        'after': prepared.variables['params'],
        'weight': jnp.asarray(fitted.weight, jnp.float32),
        'bias': jnp.asarray(fitted.bias, jnp.float32),
    }
    now = (params, optax.sgd(config.rate, MOMENTUM).init(params))
    rng = np.random.default_rng([seed, 1])
    for _ in range(config.steps):
        batch = rows
        if len(rows) > MOST:
            batch = rng.choice(rows, MOST, replace=False)
        image, label = prepared.train['cut'][batch], prepared.label[batch]
        now = _step(config.network, config.rate, now, state, image, label)
    test = prepared.test['cut']
    parts = [
        _logits(config.network, now[0], state, test[i : i + MOST])
        for i in range(0, len(test), MOST)
    ]
    return np.concatenate(parts)


@functools.partial(jax.jit, static_argnums=0)
def _logits(network, params, state, x):
    variables = {'params': params['after'], **state}
    output, _ = _after_cut(network).apply(variables, x, train=False)
    return ops.l2_normalise(_flat(output)) @ params['weight'] + params['bias']


@functools.partial(jax.jit, static_argnums=0)
def _step(network, rate, now, state, x, label):
    tx = optax.sgd(rate, MOMENTUM)

    def loss(params):
        logits = _logits(network, params, state, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

    params, opt_state = now
    updates, opt_state = tx.update(jax.grad(loss)(params), opt_state, params)
    return optax.apply_updates(params, updates), opt_state


if __name__ == '__main__':
    cli.main(Config, build)
