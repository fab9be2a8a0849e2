"""How transferable are features in deep neural networks? (Yosinski et al., NIPS 2014).

The classes of a data set are split into halves A and B; a base network is trained on
each. For every n, a new network takes the first n layers of a base, has random weights
above them, and is trained on B:

  BnB   copied from base B and frozen: drops if the cut breaks co-adaptation
  BnB+  copied from base B and fine-tuned: recovers that drop
  AnB   copied from base A and frozen: drops further if features are specific to A
  AnB+  copied from base A and fine-tuned: transfer

Published, on ImageNet with AlexNet (figure 2, random halves of the classes): base B has
62.5 % top-1; BnB drops at layers 4 and 5 and recovers above; AnB drops a little at
layer 3 and more from 4 to 7; AnB+ is above base B by 1.6 points on average over n = 1
to 7 (table 1). This experiment has a network of five layers and small images; no number
is published for it.

    python -m experiments.transfer.layer_transfer
    python -m experiments.transfer.layer_transfer --config.domain gtsrb
    python -m experiments.transfer.layer_transfer --config.copy last:2

MNIST-M: digits 0-4 are A and 5-9 are B. GTSRB, and CIFAR-10 if tensorflow-datasets has
prepared it: random halves of the classes, drawn once.

Frozen layers also keep their running batch statistics (models.BatchNorm, frozen). Bases
and transferred networks are trained alike. All transferred networks of a seed have the
same initial weights and batches, which differ from those of the bases.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import optax

from experiments.tasks import choices, evaluation_data, training_trials
from transfer_jax import cli, data, methods, models, runs
from transfer_jax.reports import figures
from transfer_jax.training import optim

# {--config.domain: image side}
SIZES = {'mnist_m': 28, 'gtsrb': 32, 'tfds:cifar10': 32, 'fake': 28}
IN_ORDER = ('mnist_m', 'fake')  # the first half of the classes is A
LAYERS = models.LayeredNet.LAYERS
METHODS = ('BnB', 'BnB+', 'AnB', 'AnB+')
BASES = ('base_A', 'base_B')  # each tested on its half of the classes
SPLIT_SEED = 0  # of random halves


@dataclasses.dataclass(frozen=True)
class Config:
    """Layers of a small network, copied between two halves of a data set's classes."""

    domain: str = 'mnist_m'
    """mnist_m (digits 0-4 and 5-9), gtsrb or tfds:cifar10 (random halves of the
    classes)."""
    copy: str = 'first'
    """Which layers are copied: first (every n), first:N, last or last:N."""
    seeds: int = 2
    steps: int = 1_000
    batch: int = 64
    rate: float = 0.05
    """Learning rate at the start; it falls to 0 as a half cosine."""
    momentum: float = 0.9
    decay: float = 5e-4
    """L2 decay of all trained parameters."""


class Half(NamedTuple):
    """Some classes of a domain, renumbered from 0."""

    train: data.Arrays
    test: data.Arrays
    mean: np.ndarray  # (c,) of the training images


class Prepared(NamedTuple):
    """Both halves, and a function that trains each base network once."""

    halves: Mapping[str, Half]
    base: Any  # (half, seed) -> (method, its last state)


def build(config: Config) -> runs.Study:
    """The study of a config."""
    choices.check('domain', config.domain, SIZES)
    side, _, number = config.copy.partition(':')
    counts = [int(number)] if number.isdigit() else range(1, len(LAYERS) + 1)
    for count in counts:  # raises for a wrong --config.copy
        methods.choose_layers(LAYERS, f'{side}:{count}')
    seeds = range(config.seeds)
    trials = [
        {'method': base, 'n': 0, 'seed': seed} for base in BASES for seed in seeds
    ]
    trials += [
        {'method': method, 'n': n, 'seed': seed}
        for method in METHODS
        for n in counts
        for seed in seeds
    ]
    return runs.Study(
        name='transfer.layer_transfer',
        config=config,
        task=f'{config.domain}, {side} n layers copied',
        trials=tuple(trials),
        prepare=functools.partial(_prepare, config),
        measure=functools.partial(_measure, config, side),
        across='n',
        values=('accuracy',),
        figures=lambda rows: {
            'Layer transfer': draw(rows, f'{config.domain}, {side} n layers copied')
        },
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """Both domains, copying the first and the last layers."""
    for domain in ('mnist_m', 'gtsrb'):
        for copy in ('first', 'last'):
            yield Config(domain, copy)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config('fake', 'first:2', seeds=1, steps=4, batch=8)


def halves(domain: data.Domain, seed: int | None) -> dict[str, Half]:
    """{'A': first half of the classes, 'B': rest}; in random order with a seed."""
    count = len(domain.classes)
    order = np.arange(count)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(count)
    classes_of = {'A': np.sort(order[: count // 2]), 'B': np.sort(order[count // 2 :])}
    result = {}
    for name, classes in classes_of.items():
        parts = [_only(part, classes) for part in (domain.train, domain.test)]
        result[name] = Half(*parts, data.channel_mean(parts[0]))
    return result


def draw(rows: Sequence[Mapping[str, Any]], title: str):
    """Accuracy on B by n, as figure 2 of the paper: means, and seeds as dots.

    The right axes zoom in on base B, since AnB falls far below it.
    """
    from matplotlib.figure import Figure  # only when there is something to draw

    figure = Figure(figsize=(8.6, 3.7), layout='constrained')
    wide, close = figure.subplots(1, 2)
    points = {name: _points(rows, name) for name in ('base_B', *METHODS)}
    shifts = np.linspace(-0.12, 0.12, len(METHODS))  # keeps the methods apart
    for axes in (wide, close):
        base = points['base_B'][0]
        axes.axhline(np.mean(base), ls=':', color='0.2', label='base B')
        axes.plot([0] * len(base), base, 'o', color='0.2', ms=3.5)
        for name, shift, colour in zip(METHODS, shifts, figures.COLOURS, strict=False):
            at = np.array(list(points[name])) + shift
            mean = [np.mean(values) for values in points[name].values()]
            style = '-D' if name.endswith('+') else '--D'
            axes.plot(at, mean, style, color=colour, ms=4.5, lw=1.6, label=name)
            for x, values in zip(at, points[name].values(), strict=True):
                axes.plot([x] * len(values), values, 'o', color=colour, ms=3, alpha=0.6)
        axes.set_xticks(range(max((row['n'] for row in rows), default=0) + 1))
        axes.set_xlabel('n, layers copied')
        axes.grid(alpha=0.25)
    near = [
        value
        for name in points
        if name != 'AnB'
        for values in points[name].values()
        for value in values
    ]
    margin = 0.1 * (max(near) - min(near)) or 0.5
    close.set_ylim(min(near) - margin, max(near) + margin)
    close.set_title('close to base B', fontsize=11)
    wide.set_ylabel('accuracy on B in %')
    wide.set_title(title, fontsize=11)
    wide.legend(fontsize=8, framealpha=0.8)
    return figure


def _points(rows, method):
    """{n: accuracies in %, one for each seed}."""
    by_n: dict[int, list[float]] = {}
    for row in rows:
        if row['method'] == method:
            by_n.setdefault(row['n'], []).append(100 * row['accuracy'])
    return dict(sorted(by_n.items()))


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    domain = data.load(config.domain, size=SIZES[config.domain], data_dir=data_dir)
    by_name = halves(domain, None if config.domain in IN_ORDER else SPLIT_SEED)

    @functools.cache
    def base(half: str, seed: int):
        method = _method(config, len(by_name[half].train.classes), ())
        # Transferred networks train with 3 * seed.
        base_seed = 3 * seed + (1 if half == 'A' else 2)
        return method, _train(config, method, by_name[half], None, base_seed)

    return Prepared(by_name, base)


def _measure(config, side, prepared, trial):
    name, n, seed = trial['method'], trial['n'], trial['seed']
    if name in BASES:
        half = prepared.halves[name[-1]]
        method, state = prepared.base(name[-1], seed)
    else:
        half = prepared.halves['B']
        copied = methods.choose_layers(LAYERS, f'{side}:{n}')
        frozen = () if name.endswith('+') else copied
        method = _method(config, len(half.train.classes), frozen)
        _, source = prepared.base(name[0], seed)
        start = functools.partial(_start, source, copied)
        state = _train(config, method, half, start, 3 * seed)
    batches = evaluation_data.batches(half.test, data.normalise(half.mean))
    return training_trials.score(method, state, batches, len(half.train.classes))


@functools.cache  # one compiled step for all trials of a depth
def _method(config, classes, frozen):
    tx = optim.sgd(
        optim.scaled(optax.cosine_decay_schedule(1.0, config.steps), config.rate),
        momentum=config.momentum,
        decay=config.decay,
    )
    patterns = [f'{layer}/.*' for layer in frozen]
    return methods.fine_tuning(
        models.LayeredNet(norm=models.BatchNorm, frozen=frozen),
        models.Classifier(classes),
        txs={'encoder': optim.freeze(tx, patterns), 'classifier': tx},
    )


def _start(source, copied, fresh, previous):
    """The fresh state with the copied layers of the source and their statistics."""
    del previous
    params = methods.copy_layers(
        fresh.params['encoder'], source.params['encoder'], copied
    )
    encoder_state = fresh.model_state['encoder']
    batch_stats = methods.copy_layers(
        encoder_state['batch_stats'],
        source.model_state['encoder']['batch_stats'],
        copied,
    )
    encoder_state = {**encoder_state, 'batch_stats': batch_stats}
    return fresh.replace(
        params={**fresh.params, 'encoder': params},
        model_state={**fresh.model_state, 'encoder': encoder_state},
    )


def _train(config, method, half, start, seed):
    stream = training_trials.labelled(
        half.train,
        data.normalise(half.mean),
        batch=config.batch,
        seed=seed,
    )
    return training_trials.train(method, start, stream, steps=config.steps, seed=seed)


def _only(part, classes):
    """The examples of some classes, renumbered in the order given."""
    rows = np.flatnonzero(np.isin(part.label, classes))
    names = tuple(part.classes[c] for c in classes)
    label = np.searchsorted(classes, part.label[rows]).astype(np.int32)
    return data.Arrays(part.image[rows], label, names)


if __name__ == '__main__':
    cli.main(Config, build)
