"""The command experiments.adapt with no flag but the folders, measured on known pairs.

No number is published for these networks at this size; docs/adapt.md has what was
measured. The default method was chosen on four pairs of Office-Caltech10 by validators
alone (choice), at 200 steps and with one seed. Other pairs were then run with that
default, 3 seeds. The sweep is all of it, one study for each pair.

    python -m experiments.adaptation.own_photographs --config.pair photo-sketch
    python -m experiments.sweep experiments.adaptation.own_photographs
    python -m experiments.table adapt

A trial trains one method on one pair, as the command would: all images of the source
with labels, all of the target without. Its row has the target accuracy of the model
that the command keeps, and what its advice is made from. Classifiers of frozen features
are beside it.
"""

import dataclasses
import functools
import itertools
import pathlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from experiments.tasks import choices
from transfer_jax import cli, recipes, runs, selection
from transfer_jax.adapt import (
    experiment,
    outcome,
    photographs,
    plan,
    reading,
    shallow_way,
    verdict,
)
from transfer_jax.recipes import encoders

CHOSEN_ON = ('amazon-webcam', 'webcam-amazon', 'dslr-caltech10', 'caltech10-dslr')
MEASURED_ON = (
    *('photo-art_painting', 'photo-cartoon', 'photo-sketch'),
    *('amazon-caltech10', 'webcam-caltech10', 'amazon-dslr', 'caltech10-webcam'),
)
CANDIDATES = ('source_only', 'mcc', 'bnm', 'dann', 'cdan', 'deep_coral')
CHOICE_STEPS, CHOICE_SEEDS = 200, 1
FACTORS = (0.3, 3.0, 10.0, 30.0)  # times the published weight of the default, beside 1
PACS = ('photo', 'art_painting', 'cartoon', 'sketch')
KEPT = (selection.FIXED, 'snd', *verdict.SECOND, 'source_validation')
GATHERS = 'gathers'  # 1: predictions gather in a few classes, see verdict.gathers


@dataclasses.dataclass(frozen=True)
class Config:
    """The default method on one pair beside what it is compared with."""

    pair: str = MEASURED_ON[0]
    """Such as amazon-webcam."""
    choice: bool = False
    """The candidates for the default, at 200 steps and with one seed."""
    methods: tuple[str, ...] = ()
    """By default the candidates; or source only, the default method and classifiers of
    frozen features."""
    factor: float = 1.0
    """Of a choice: times the published weight."""
    backbone: str = ''
    """By default the best of the weights in the data folder."""
    seeds: int | None = None
    """By default 3; 1 for the choice."""
    steps: int | None = None
    """By default as the command chooses; 200 for the choice."""


def build(config: Config) -> runs.Study:
    """The study of a config."""
    names = (*shallow_way.PLAIN, 'source_only', experiment.DEFAULT)
    names = config.methods or (CANDIDATES if config.choice else names)
    for name in names:
        choices.check('method', name, (*plan.METHODS, *shallow_way.PLAIN))
    seeds = config.seeds or (CHOICE_SEEDS if config.choice else 3)
    return runs.Study(
        name='adaptation.own_photographs',
        config=config,
        task=f'{config.pair}, {"choice" if config.choice else "default"}',
        trials=tuple(
            {'method': method, 'seed': seed}
            for method in names
            for seed in range(seeds)
        ),
        prepare=functools.partial(_prepare, config),
        measure=_measure,
        fast=cli.configs_equal(config, fast()),
    )


def sweep() -> Iterator[Config]:
    """The choice of the method, then of its weight, and the measurement."""
    for pair in CHOSEN_ON:
        yield Config(pair, choice=True)
    for pair, factor in itertools.product(CHOSEN_ON, FACTORS):
        yield Config(pair, choice=True, methods=(experiment.DEFAULT,), factor=factor)
    for pair in MEASURED_ON:
        yield Config(pair)


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        pair='fake-fake_shifted',
        methods=('source_only', 'mcc'),
        backbone=encoders.TINY,
        seeds=1,
        steps=2,
    )


def _spec(name: str) -> str:
    """The name of a domain in data.load."""
    if name.startswith('fake'):
        return name
    return f'pacs_{name}' if name in PACS else f'office_{name}'


def _prepare(config: Config, data_dir: str | None):
    """(method -> its config with every choice made, seed -> photographs)."""
    source, target = map(_spec, config.pair.split('-'))
    options = reading.Options(data_dir=data_dir)
    here = reading.labelled(source, options)
    there = reading.labelled(target, options, here.classes)
    counts = plan.Counts(here.count, there.count, len(here.classes))
    steps = config.steps or (CHOICE_STEPS if config.choice else None)

    def resolve(method):
        asked = experiment.Config(
            method=method,
            backbone=config.backbone or None,
            steps=steps,
            target_test=True,
        )
        made = plan.resolve(asked, counts, data_dir)
        if made.weight is None or not config.choice:
            return made
        weight = config.factor * recipes.get(method).weight_for(made.classes)
        return dataclasses.replace(made, weight=weight)

    first = resolve('source_only')
    test = there.decode(first.size)
    parts = {
        'source': here.decode(first.size),
        'target': test._replace(label=None),
        'target_test': test,
    }
    encoder = encoders.load(first.backbone, data_dir, first.domains)
    of_seed = functools.lru_cache(
        lambda seed: photographs.of_run(seed, here.classes, parts, encoder)
    )
    return resolve, of_seed


def _measure(prepared, trial: Mapping[str, Any]) -> dict[str, Any]:
    resolve, of_seed = prepared
    name, seed, data = trial['method'], trial['seed'], of_seed(trial['seed'])
    began = time.perf_counter()
    if name in shallow_way.PLAIN:
        outcomes = shallow_way.run(data, resolve('source_only').backbone, None)
        done = outcomes[shallow_way.PLAIN.index(name)]
        accuracy = done.test_accuracy[0]
    else:
        built = experiment.build(resolve(name), lambda _: data)
        with tempfile.TemporaryDirectory() as folder:
            run_dir = pathlib.Path(folder) / 'run'
            runs.run(built._replace(seeds=(seed,)), run_dir)
            validate_as = recipes.get(name).validate_as
            done = outcome.collect(built, run_dir, {seed: data}, validate_as)
        accuracy = done.side.rows[0]['target_test']
    row = done.side.rows[0]
    share = np.bincount(data.source.label, minlength=len(data.classes))
    return {
        'accuracy': accuracy,
        'rule': done.side.rule,
        'step': row['step'],
        'a_distance': done.side.a_distance,
        GATHERS: int(verdict.gathers(done.side, share / share.sum())),
        'seconds': time.perf_counter() - began,
        **{key: float(row[key]) for key in KEPT if key in row},
    }


if __name__ == '__main__':
    cli.main(Config, build)
