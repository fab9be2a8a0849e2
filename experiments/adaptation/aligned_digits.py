"""Subspace Alignment on Ganin's pairs, the baseline of the table of DANN.

Published, target test accuracy source only (train on target): MNIST -> MNIST-M 52.25
(95.96), SynNumbers -> SVHN 86.74 (92.20), SVHN -> MNIST 54.90 (99.42), SynSigns ->
GTSRB 79.00 (99.80) (Ganin et al., JMLR 2016, table 2, which also has a row of Subspace
Alignment, Fernando et al., ICCV 2013; its numbers were not checked and are not quoted).

    python -m experiments.adaptation.aligned_digits --config.pair mnist_to_mnist_m
    python -m experiments.adaptation.aligned_digits --config.source mnist \
        --config.target mnist_m_original
    python -m experiments.adaptation.aligned_digits --config.features pixels

As in the paper, a network is trained on the source; Subspace Alignment is fitted on its
last hidden layer, the one below the logits; then a linear SVM is trained again on the
aligned source. The paper chooses the dimension, and does not say how; here it is given.
The alignment sees the target's training images without labels, and the test is on its
test part. pixels has no network: the images themselves. Rows: none (the network's
features and the same SVM), subspace_alignment, and network, the network's own
predictions, which are source only.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from experiments.tasks import (
    choices,
    digit_pairs,
    evaluation_data,
    feature_pairs,
    training_trials,
)
from transfer_jax import cli, data, evaluation, methods, metrics, runs, shallow
from transfer_jax.data import features
from transfer_jax.recipes import networks
from transfer_jax.training import optim

METHODS = ('network', 'none', 'subspace_alignment')
FEATURES = ('network', 'pixels')


@dataclasses.dataclass(frozen=True)
class Config:
    """Subspace Alignment on the features of a network that the source trained."""

    pair: str = 'mnist_to_mnist_m'
    """A named pair, see experiments/tasks/digit_pairs.py."""
    source: str = ''
    """Instead of a pair: a domain name (syn_numbers, ...), folder:PATH or npz:PATH."""
    target: str = ''
    """The same for the target (mnist_m_original, ...)."""
    features: str = 'network'
    """network: the layer below the logits; pixels: the images."""
    network: str = ''
    """mnist, svhn or signs; by default the network of the pair."""
    dimension: int = 40
    """Dimension of the subspaces."""
    cost: float = 1.0
    """C of the linear SVM."""
    images: int = 5_000
    """Images of the source, and of the target, that alignment and SVM see at most,
    drawn by seed; 0: all."""
    seeds: int = 3
    steps: int = 10_000
    """Steps of the network's training."""
    batch: int = 64
    """Images in a step."""
    rate: float = 0.01
    """Rate of momentum SGD at the start, falling as in the paper."""


class Prepared(NamedTuple):
    """Both domains of a seed, and the network that its source trained."""

    pair: digit_pairs.Pair
    features: feature_pairs.Pair
    network: dict[str, float]  # its own accuracy; {} for pixels


def build(config: Config) -> runs.Study:
    """The study of a config."""
    choices.check('features', config.features, FEATURES)
    task = digit_pairs.task(
        config.pair, config.source, config.target, network=config.network
    )
    names = METHODS if config.features == 'network' else METHODS[1:]
    return runs.Study(
        name='adaptation.aligned_digits',
        config=config,
        task=f'{task}, {config.features}, {config.dimension} dimensions',
        trials=tuple(
            {'method': name, 'seed': seed}
            for seed in range(config.seeds)
            for name in names
        ),
        prepare=lambda data_dir: functools.lru_cache(maxsize=1)(
            functools.partial(prepare, config, task, data_dir)
        ),
        measure=functools.partial(measure, config),
        fast=config == fast(),
    )


def prepare(
    config: Config, task: digit_pairs.Task, data_dir: str | None, seed: int
) -> Prepared:
    """The features of a seed."""
    pair = digit_pairs.load_pair(task, seed, data_dir)
    own, extract = {}, _pixels
    if config.features == 'network':
        extract, own = _trained(config, task, pair)
    rng = np.random.default_rng([seed, 4])
    source, target = (
        _at_most(config.images, part, rng) for part in (pair.source, pair.target)
    )

    def labelled(part):
        return features.Features(extract(part), part.label, pair.classes)

    made = feature_pairs.Pair(
        labelled(source),
        np.ones(len(source), np.float32),
        labelled(pair.source_validation.take(slice(100))),
        features.Unlabelled(extract(target)),
        labelled(pair.target_test),
    )
    return Prepared(pair, made, own)


def measure(config: Config, prepared, trial: Mapping[str, Any]) -> dict[str, float]:
    """Accuracy on the target's test part."""
    made = prepared(trial['seed'])
    if trial['method'] == 'network':
        return made.network
    method = shallow.none()
    if trial['method'] == 'subspace_alignment':
        method = shallow.subspace_alignment(config.dimension)
    svm = shallow.linear_svm(len(made.pair.classes), config.cost)
    pipeline = shallow.pipeline(method, svm)
    fitted = feature_pairs.fit(pipeline, jax.random.key(trial['seed']), made.features)
    predict = Partial(pipeline.predict, fitted)
    test = evaluation_data.batches(made.features.target_test)
    found = evaluation.evaluate(predict, test, metrics.accuracy())
    return {'accuracy': found['accuracy'], 'images': found['count']}


def _trained(config, task, pair):
    """(a function from images to features, the network's scores on the target)."""
    nets = networks.build(task.network, task.classes)
    rate = optim.ganin_rate(config.steps, config.rate)
    method = methods.fine_tuning(
        nets.encoder,
        nets.classifier,
        txs=dict.fromkeys(('encoder', 'classifier'), optim.sgd(rate, momentum=0.9)),
    )
    scale = data.normalise(pair.mean)
    stream = training_trials.labelled(
        pair.source, scale, batch=config.batch, seed=pair.seed
    )
    state = training_trials.train(
        method, None, stream, steps=config.steps, seed=pair.seed
    )
    test = evaluation_data.batches(pair.target_test, scale)
    scores = training_trials.score(method, state, test, task.classes)

    def hidden(state, batch):
        both = (
            {'params': state.params[name], **state.model_state[name]}
            for name in ('encoder', 'classifier')
        )
        x, _ = nets.encoder.apply(next(both), batch['image'], train=False)
        _, taps = nets.classifier.apply(next(both), x, train=False)
        # Its last hidden layer, or what it reads.
        return {'hidden': list(taps.values())[-1] if taps else x}

    predict = Partial(hidden, state)

    def extract(part):
        read = evaluation_data.batches(data.Images(part.image), scale)
        return evaluation.extract(predict, read, ['hidden'])['hidden']

    return extract, scores


def _pixels(part):
    """(n, h w c) in [0, 1]."""
    return part.image.reshape(len(part), -1).astype(np.float32) / 255


def _at_most(count, part, rng):
    if not count or len(part) <= count:
        return part
    rows = rng.permutation(len(part))[:count]
    if isinstance(part, data.Images):
        return data.Images(part.image[rows])
    return part.take(rows)


def sweep() -> Iterator[Config]:
    """Ganin's four pairs."""
    for pair in list(digit_pairs.PAIRS)[:4]:
        yield Config(pair)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        'fake_to_fake_shifted', dimension=3, images=64, seeds=1, steps=4, batch=8
    )


if __name__ == '__main__':
    cli.main(Config, build)
