"""The command experiments.adapt with no flag but the folders, measured on known pairs.

No number is published for these networks at this size; docs/adapt.md has what was
measured. Its default method was chosen on four pairs of Office-Caltech10 by validators
alone. The other pairs were then run once, with that default.

    python -m experiments.adaptation.own_photographs --config.chosen-on
    python -m experiments.adaptation.own_photographs

A trial trains one method on one pair, as the command would: all images of the source
with labels, all of the target without. Its row has the target accuracy of the model
that the command keeps, and the validators that chose it.
"""

import dataclasses
import functools
import pathlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from experiments.tasks import choices
from transfer_jax import cli, runs, selection
from transfer_jax.adapt import experiment, outcome, photographs, plan, reading, verdict
from transfer_jax.recipes import encoders

CHOSEN_ON = ('amazon-webcam', 'webcam-amazon', 'dslr-caltech10', 'caltech10-dslr')
MEASURED_ON = (
    *('photo-art_painting', 'photo-cartoon', 'photo-sketch'),
    *('amazon-caltech10', 'webcam-caltech10', 'amazon-dslr', 'caltech10-webcam'),
)
CANDIDATES = ('source_only', 'mcc', 'bnm', 'dann', 'cdan', 'deep_coral')
PACS = ('photo', 'art_painting', 'cartoon', 'sketch')
KEPT = (selection.FIXED, 'snd', *verdict.SECOND, 'source_validation')


@dataclasses.dataclass(frozen=True)
class Config:
    """The default method beside source only, or the candidates for it."""

    chosen_on: bool = False
    """The candidates on the pairs that the default was chosen on."""
    backbone: str = ''
    """By default the best of the weights in the data folder."""
    pairs: tuple[str, ...] = ()
    """Such as amazon-webcam; by default those of the choice, or all others."""
    methods: tuple[str, ...] = ()
    """By default the candidates, or source only and the default method."""
    seeds: int = 3
    steps: int | None = None
    """By default as the command chooses."""


def build(config: Config) -> runs.Study:
    """The study of a config."""
    names = CANDIDATES if config.chosen_on else ('source_only', experiment.DEFAULT)
    names = config.methods or names
    for name in names:
        choices.check('method', name, plan.METHODS)
    pairs = config.pairs or (CHOSEN_ON if config.chosen_on else MEASURED_ON)
    return runs.Study(
        name='adaptation.own_photographs',
        config=config,
        task='candidates' if config.chosen_on else 'default method',
        trials=tuple(
            {'method': method, 'pair': pair, 'seed': seed}
            for pair in pairs
            for method in names
            for seed in range(config.seeds)
        ),
        prepare=functools.partial(_prepare, config),
        measure=_measure,
        across='pair',
        fast=cli.configs_equal(config, fast()),
    )


def sweep() -> Iterator[Config]:
    """The choice, then the measurement."""
    yield Config(chosen_on=True)
    yield Config()


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        backbone=encoders.TINY,
        pairs=('fake-fake_shifted',),
        methods=('source_only', 'mcc'),
        seeds=1,
        steps=2,
    )


def _spec(name: str) -> str:
    """The name of a domain in data.load."""
    if name.startswith('fake'):
        return name
    return f'pacs_{name}' if name in PACS else f'office_{name}'


def _prepare(config: Config, data_dir: str | None):
    """f(pair) -> what _load returns, read once."""
    return functools.lru_cache(maxsize=2)(functools.partial(_load, config, data_dir))


def _load(config, data_dir, pair):
    """(method -> its config with every choice made, classes, images, encoder)."""
    source, target = map(_spec, pair.split('-'))
    options = reading.Options(data_dir=data_dir)
    here = reading.labelled(source, options)
    there = reading.labelled(target, options, here.classes)
    counts = plan.Counts(here.count, there.count, len(here.classes))

    def resolve(method):
        asked = experiment.Config(
            method=method,
            backbone=config.backbone or None,
            steps=config.steps,
            target_test=True,
        )
        return plan.resolve(asked, counts, data_dir)

    first = resolve('source_only')
    test = there.decode(first.size)
    parts = {
        'source': here.decode(first.size),
        'target': test._replace(label=None),
        'target_test': test,
    }
    encoder = encoders.load(first.backbone, data_dir, first.domains)
    return resolve, here.classes, parts, encoder


def _measure(load, trial: Mapping[str, Any]) -> dict[str, Any]:
    resolve, classes, parts, encoder = load(trial['pair'])
    seed = trial['seed']
    data = photographs.of_run(seed, classes, parts, encoder)
    built = experiment.build(resolve(trial['method']), lambda _: data)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = pathlib.Path(folder) / 'run'
        runs.run(built._replace(seeds=(seed,)), run_dir)
        done = outcome.collect(built, run_dir, {seed: data})
    row = done.side.rows[0]
    return {
        'accuracy': row['target_test'],
        'rule': done.side.rule,
        'step': row['step'],
        'a_distance': done.side.a_distance,
        'seconds': time.perf_counter() - began,
        **{name: float(row.get(name, np.nan)) for name in KEPT},
    }


if __name__ == '__main__':
    cli.main(Config, build)
