"""Zero-shot learning from attributes and sentences: 200 birds, 50 of them unseen.

Published on ResNet-101 features and the same split of the classes (Xian et al., TPAMI
2019, 312 attributes): accuracy among the 50 unseen classes, then u / s / H among all
200: ESZSL 53.9, 12.6 / 63.8 / 21.0; SJE 53.9, 23.5 / 59.2 / 33.6; ALE 54.9, 23.7 / 62.8
/ 34.4; DeViSE 52.0, 23.8 / 53.0 / 32.8; SAE 33.3, 7.8 / 54.0 / 13.6; from memory: DAP
40.0, 1.7 / 67.9 / 3.3; IAP 24.0, 0.2 / 72.8 / 0.4; ConSE 34.3, 1.6 / 72.2 / 3.1; SYNC
55.6; LATEM 49.3. Our features are others (1000 outputs of an ImageNet classifier, 40
images of each class), so the numbers are not comparable one by one.

    python -m experiments.zero_shot.cub
    python -m experiments.zero_shot.cub --config.data awa2
    python -m experiments.zero_shot.cub --config.features F.npz --config.vectors V.csv \
        --config.unseen LIST

Columns, mean accuracy per class: zsl, unseen classes alone; u, s, H, all classes to
choose from, for images of unseen and of seen classes and their harmonic mean; the same
with gamma, subtracted from the scores of seen classes (calibrated stacking, Chao et
al., ECCV 2016); ausuc, the area under the curve of u and s.

Constants and gamma are chosen on 3 draws of a third of the seen classes as validation
classes, with a quarter of the other classes' images held out; then the method is fitted
on all seen classes. zsl and u / s / H have the constants of the best accuracy among
validation classes, the columns with gamma those of the best H. `preparation` unit:
class vectors of length 1, as published. chosen: also centred, and with square roots,
whichever the validation classes prefer. Features have length 1.

Own data: F.npz has x (n, d) and y (n,), names of classes; V.csv has a name and its
numbers in each line (or names: the word vectors of the class names); LIST is a text
file of unseen classes, or their names separated by commas. --config.features
folder:PATH computes features of the images below PATH/CLASS/ by --config.network.
"""

import dataclasses
import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.tasks import choices
from experiments.zero_shot import choice, inputs, pictures
from experiments.zero_shot import recipes as recipe_table
from transfer_jax import cli, metrics, runs
from transfer_jax.data.zero_shot import ZeroShotData

METHODS = tuple(recipe_table.recipes())
VALUES = ('zsl', 'u', 's', 'H', 'u_gamma', 's_gamma', 'H_gamma', 'ausuc')
BOTH = ('unit', 'chosen')
# The rows of DAP and IAP: (preparation, kind of vectors)
BINARY = tuple(('unit', kind) for kind in ('attributes', inputs.OWN))


@dataclasses.dataclass(frozen=True)
class Config:
    """Zero-shot methods on features, with constants chosen on validation classes."""

    data: str = 'cub'
    """cub (the subset with two kinds of class vectors), or with published features
    awa1, awa2, sun, apy, cub_published."""
    methods: tuple[str, ...] = METHODS
    """Names of the table's rows."""
    vectors: str = ''
    """With own features: a CSV, or names. Else a kind, such as attributes; by default
    all."""
    preparations: tuple[str, ...] = BOTH
    """unit, chosen, or both: how class vectors are prepared."""
    seeds: int = 5
    """Of methods that draw."""
    draws: int = 3
    """Draws of validation classes."""
    features: str = ''
    """Own features: an .npz, or folder:PATH of images."""
    unseen: str = ''
    """With own features: the unseen classes."""
    network: str = 'mobilenet_v2'
    """With folder:PATH, the backbone whose features are used."""


class Prepared(NamedTuple):
    """What the trials read."""

    data: ZeroShotData
    vectors: Mapping[str, np.ndarray]  # {kind: (c, a)} in the order of the classes
    columns: Mapping[str, tuple[str, ...]]  # {kind: names of the a numbers}
    recipes: Mapping[str, choice.Recipe]
    choose: Any  # (method, kind, preparation) -> Choice, each computed once


def build(config: Config) -> runs.Study:
    """The study of a config."""
    inputs.check(config)
    for method in config.methods:
        choices.check('method', method, METHODS)
    for one in config.preparations:
        choices.check('preparation', one, BOTH)
    table = recipe_table.recipes()
    trials = [
        {'vectors': kind, 'method': method, 'preparation': preparation, 'seed': seed}
        for kind in inputs.kinds(config)
        for method in config.methods
        for preparation in config.preparations
        if method not in recipe_table.BINARY or (preparation, kind) in BINARY
        for seed in range(config.seeds if table[method].drawn else 1)
    ]
    return runs.Study(
        name='zero_shot.cub',
        config=config,
        task=inputs.title(config),
        trials=tuple(trials),
        prepare=functools.partial(prepare, config),
        measure=measure,
        values=VALUES,
        figures=pictures.curves,
        pictures=pictures.attributes,
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """The subset of CUB, then the sets with published features."""
    yield Config()
    for data in inputs.PUBLISHED:
        yield Config(data)


def fast() -> Config:
    """A run of seconds on generated features."""
    return Config('fake', ('eszsl', 'conse', 'devise'), seeds=1, draws=1)


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """The data, and the choice of constants as a function that remembers."""
    read = inputs.load(config, data_dir)
    vectors = {k: v.of(read.data.classes) for k, v in read.vectors.items()}
    table = recipe_table.recipes()
    training = read.data.training()
    draws = choice.draws_of(training, max(2, len(training.classes) // 3), config.draws)

    @functools.cache
    def choose(method, kind, preparation):
        kinds = choice.PREPARATIONS if preparation == 'chosen' else ('unit',)
        of_seen = vectors[kind][read.data.seen]
        return choice.choose(table[method], training, of_seen, draws, kinds)

    return Prepared(read.data, vectors, read.columns, table, choose)


def measure(prepared: Prepared, trial: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a method with its chosen constants."""
    started = time.process_time()
    recipe = prepared.recipes[trial['method']]
    chosen = prepared.choose(trial['method'], trial['vectors'], trial['preparation'])
    data, vectors = prepared.data, prepared.vectors[trial['vectors']]
    training, of_seen = data.training(), vectors[data.seen]
    key = jax.random.key(trial['seed'])

    def fitted(score):
        return choice.fit(recipe, score.setting, key, training, of_seen)

    scores = fitted(chosen.zsl)
    alone = scores(data.x[data.test_unseen], vectors[data.unseen])
    label = data.label[data.test_unseen]
    zsl = metrics.mean_class_accuracy(data.unseen[alone.argmax(1)], label, data.unseen)
    plain = metrics.generalised(*_both(scores, data, vectors))
    if chosen.harmonic.setting != chosen.zsl.setting:
        scores = fitted(chosen.harmonic)
    both = _both(scores, data, vectors)
    gamma = chosen.gamma * choice.deviation(scores, training, of_seen)
    stacked = metrics.generalised(*both, gamma)
    curve = metrics.seen_unseen_curve(*both)
    return {
        'zsl': zsl,
        **dict(zip(('u', 's', 'H'), plain, strict=True)),
        **dict(zip(('u_gamma', 's_gamma', 'H_gamma'), stacked, strict=True)),
        'ausuc': metrics.ausuc(curve),
        'constants': chosen.zsl.setting.words(),
        'constants_H': chosen.harmonic.setting.words(),
        'gamma': chosen.gamma,
        'validation_zsl': chosen.zsl.zsl,
        'validation_H': float(chosen.harmonic.harmonic.max()),
        'edges': list(chosen.edges),
        'settings_tried': len(chosen.scores),
        **(pictures.points(curve) if trial['seed'] == 0 else {}),
        'cpu_seconds': time.process_time() - started,
    }


def _both(scores, data, vectors):
    """(scores of all test images, their labels, which classes are seen)."""
    used = np.sort(np.concatenate([data.seen, data.unseen]))
    rows = np.concatenate([data.test_seen, data.test_unseen])
    label = np.searchsorted(used, data.label[rows])
    return scores(data.x[rows], vectors[used]), label, np.isin(used, data.seen)


if __name__ == '__main__':
    cli.main(Config, build)
