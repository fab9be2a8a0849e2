"""How transferable are features in deep neural networks? (Yosinski et al., NIPS 2014).

The classes of a data set are split into halves A and B, with a base network for each.
For every n the first n layers of a base are copied, the rest is drawn afresh and all is
trained on B:

  BnB   copied from base B and frozen: a drop is co-adaptation broken by the cut
  BnB+  copied from base B and fine-tuned: recovers it
  AnB   copied from base A and frozen: a further drop is features specific to A
  AnB+  copied from base A and fine-tuned: transfer

Published, on ImageNet with AlexNet (figure 2, random halves of the classes): base B has
62.5 % top-1; BnB drops at layers 4 and 5 and recovers above; AnB drops a little at
layer 3 and more from 4 to 7; AnB+ is above base B by 1.6 points on average over n = 1
to 7 (table 1). Ours is a net of five layers on small images; there is no published
number for it.

    python -m experiments.transfer.layer_transfer
    python -m experiments.transfer.layer_transfer --config.domain gtsrb
    python -m experiments.transfer.layer_transfer --config.copy last:2

MNIST-M: digits 0-4 are A and 5-9 are B. GTSRB, and CIFAR-10 where tensorflow-datasets
has prepared it: random halves of the classes, drawn once.

Frozen layers keep their running batch statistics too (models.BatchNorm, frozen). Bases
and transferred nets are trained alike; of a seed, all transferred nets draw the same
fresh layers and batches, other ones than the bases.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.tasks import training_trials
from transfer_jax import cli, data, methods, models, runs
from transfer_jax.reports import figures
from transfer_jax.training import optim

# {--config.domain: image side}
SIZES = {'mnist_m': 28, 'gtsrb': 32, 'tfds:cifar10': 32, 'fake': 28}
IN_ORDER = ('mnist_m', 'fake')  # the first half of the classes is A
LAYERS = models.LayeredNet.LAYERS
ARMS = ('BnB', 'BnB+', 'AnB', 'AnB+')
BASES = ('base_A', 'base_B')  # each measured on the test set of its own half
SPLIT_SEED = 0  # of the halves of the others' classes


@dataclasses.dataclass(frozen=True)
class Config:
    """Layers of a net of five, copied between two halves of a data set's classes."""

    domain: str = 'mnist_m'
    """mnist_m (digits 0-4 and 5-9), gtsrb or tfds:cifar10 (random halves of the
    classes)."""
    copy: str = 'first'
    """Which layers are copied: first (every n), first:N, last or last:N."""
    seeds: int = 2
    steps: int = 1_000
    batch: int = 64
    rate: float = 0.05
    """Learning rate at the start; it falls to 0 as half a cosine."""
    momentum: float = 0.9
    decay: float = 5e-4
    """L2 decay of all parameters that are trained."""


class Half(NamedTuple):
    """Some classes of a domain, numbered anew."""

    train: data.Arrays
    test: data.Arrays
    mean: np.ndarray  # (c,) of the training images


class Prepared(NamedTuple):
    """Both halves, and their base networks, each trained when it is asked for."""

    halves: Mapping[str, Half]
    base: Any  # (half, seed) -> (method, its last state)


def build(config: Config) -> runs.Study:
    """The study of a config."""
    if config.domain not in SIZES:
        raise ValueError(f'no domain {config.domain!r}; choose from {", ".join(SIZES)}')
    side, _, number = config.copy.partition(':')
    counts = [int(number)] if number.isdigit() else range(1, len(LAYERS) + 1)
    for count in counts:  # refuses what it cannot read
        methods.choose_layers(LAYERS, f'{side}:{count}')
    seeds = range(config.seeds)
    cells = [{'arm': arm, 'n': 0, 'seed': seed} for arm in BASES for seed in seeds]
    cells += [
        {'arm': arm, 'n': n, 'seed': seed}
        for arm in ARMS
        for n in counts
        for seed in seeds
    ]
    return runs.Study(
        name='transfer.layer_transfer',
        config=config,
        task=f'{config.domain}, {side} n layers copied',
        cells=tuple(cells),
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
    """Both domains, from below and from above."""
    for domain in ('mnist_m', 'gtsrb'):
        for copy in ('first', 'last'):
            yield Config(domain, copy)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config('fake', 'first:2', seeds=1, steps=4, batch=8)


def halves(domain: data.Domain, seed: int | None) -> dict[str, Half]:
    """{'A', 'B'}: the first half of the classes and the rest; by seed, in its order."""
    count = len(domain.classes)
    order = np.arange(count)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(count)
    sides = {'A': np.sort(order[: count // 2]), 'B': np.sort(order[count // 2 :])}
    made = {}
    for name, classes in sides.items():
        parts = [_only(part, classes) for part in (domain.train, domain.test)]
        made[name] = Half(*parts, data.channel_mean(parts[0]))
    return made


def draw(rows: Sequence[Mapping[str, Any]], title: str):
    """Accuracy on B against n, as figure 2 of the paper: means, and seeds as dots.

    On the right the same, close to base B: what is frozen from A falls far below.
    """
    from matplotlib.figure import Figure  # only when there is something to draw

    figure = Figure(figsize=(8.6, 3.7), layout='constrained')
    wide, close = figure.subplots(1, 2)
    points = {arm: _points(rows, arm) for arm in ('base_B', *ARMS)}
    shift = np.linspace(-0.12, 0.12, len(ARMS))  # side by side, not over each other
    for axes in (wide, close):
        base = points['base_B'][0]
        axes.axhline(np.mean(base), ls=':', color='0.2', label='base B')
        axes.plot([0] * len(base), base, 'o', color='0.2', ms=3.5)
        for arm, aside, colour in zip(ARMS, shift, figures.COLOURS, strict=False):
            at = np.array(list(points[arm])) + aside
            mean = [np.mean(values) for values in points[arm].values()]
            style = '-D' if arm.endswith('+') else '--D'
            axes.plot(at, mean, style, color=colour, ms=4.5, lw=1.6, label=arm)
            for x, values in zip(at, points[arm].values(), strict=True):
                axes.plot([x] * len(values), values, 'o', color=colour, ms=3, alpha=0.6)
        axes.set_xticks(range(max((row['n'] for row in rows), default=0) + 1))
        axes.set_xlabel('n, layers copied')
        axes.grid(alpha=0.25)
    near = [
        v for arm in points if arm != 'AnB' for vs in points[arm].values() for v in vs
    ]
    margin = 0.1 * (max(near) - min(near)) or 0.5
    close.set_ylim(min(near) - margin, max(near) + margin)
    close.set_title('close to base B', fontsize=11)
    wide.set_ylabel('accuracy on B in %')
    wide.set_title(title, fontsize=11)
    wide.legend(fontsize=8, framealpha=0.8)
    return figure


def _points(rows, arm):
    """{n: accuracies in %, one for each seed}"""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row['arm'] == arm:
            found.setdefault(row['n'], []).append(100 * row['accuracy'])
    return dict(sorted(found.items()))


def _prepare(config: Config, data_dir: str | None) -> Prepared:
    domain = data.load(config.domain, size=SIZES[config.domain], data_dir=data_dir)
    made = halves(domain, None if config.domain in IN_ORDER else SPLIT_SEED)

    @functools.cache
    def base(half: str, seed: int):
        method = _method(config, len(made[half].train.classes), ())
        own = 3 * seed + (1 if half == 'A' else 2)
        return method, _train(config, method, made[half], None, own)

    return Prepared(made, base)


def _measure(config, side, prepared, cell):
    arm, n, seed = cell['arm'], cell['n'], cell['seed']
    if arm in BASES:
        half = prepared.halves[arm[-1]]
        method, state = prepared.base(arm[-1], seed)
    else:
        half = prepared.halves['B']
        copied = methods.choose_layers(LAYERS, f'{side}:{n}')
        frozen = () if arm.endswith('+') else copied
        method = _method(config, len(half.train.classes), frozen)
        _, source = prepared.base(arm[0], seed)
        start = functools.partial(_start, source, copied)
        state = _train(config, method, half, start, 3 * seed)
    batches = training_trials.held_out(half.test, data.normalise(half.mean))
    return training_trials.score(method, state, batches, len(half.train.classes))


@functools.cache  # one compiled step for all cells of a depth
def _method(config, classes, frozen):
    tx = optim.sgd(
        optim.warmup_cosine(config.steps, config.rate),
        momentum=config.momentum,
        decay=config.decay,
    )
    still = [f'{layer}/.*' for layer in frozen]
    return methods.fine_tuning(
        models.LayeredNet(norm=models.BatchNorm, frozen=frozen),
        models.Classifier(classes),
        txs={'encoder': optim.freeze(tx, still), 'classifier': tx},
    )


def _start(source, copied, fresh, previous):
    """Copied layers with their statistics; all else is fresh."""
    del previous

    def mixed(own, other):
        return {**own, 'encoder': methods.copy_layers(own['encoder'], other, copied)}

    statistics = source.model_state['encoder']['batch_stats']
    own = fresh.model_state['encoder']
    moved = methods.copy_layers(own['batch_stats'], statistics, copied)
    return fresh.replace(
        params=mixed(fresh.params, source.params['encoder']),
        model_state={**fresh.model_state, 'encoder': {**own, 'batch_stats': moved}},
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
    """The examples of some classes, numbered in their order."""
    rows = np.flatnonzero(np.isin(part.label, classes))
    names = tuple(part.classes[c] for c in classes)
    label = np.searchsorted(classes, part.label[rows]).astype(np.int32)
    return data.Arrays(part.image[rows], label, names)


def _depths(rows):
    return sorted({row['n'] for row in rows})


if __name__ == '__main__':
    cli.main(Config, build)
