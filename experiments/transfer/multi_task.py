"""Multi-task learning with one trunk: the class of an image and its domain.

Each image of PACS has two labels: its class (7) and its domain (4: photograph,
painting, cartoon, sketch). A pretrained network is fine-tuned for one of them, or for
both with a head each (Caruana 1997); the two losses are added, or weighted by learned
homoscedastic uncertainty (Kendall, Gal & Cipolla, CVPR 2018). No result is published
for this pair of tasks. Kendall's tasks (semantics, instances and depth of CityScapes)
gain from each other and from learned weights.

    python -m experiments.transfer.multi_task
    python -m experiments.transfer.multi_task --config.data office_caltech10
    python -m experiments.transfer.multi_task --config.data folder:A,folder:B

Methods: object_alone and domain_alone each train one head on a separate trunk; fixed
adds the two losses; uncertainty learns their weights. In methods that end in _half, a
random half of the training images has no domain label: domain_alone_half learns only
from the labelled half, fixed_half also from the classes of the other.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import optax

from experiments.tasks import (
    choices,
    domain_specs,
    evaluation_data,
    training_trials,
)
from transfer_jax import cli, data, losses, methods, models, runs
from transfer_jax.recipes import encoders
from transfer_jax.training import optim

# {--config.data: domains}
GROUPS = {
    'pacs': tuple(
        f'pacs_{name}' for name in ('photo', 'art_painting', 'cartoon', 'sketch')
    ),
    'office_caltech10': tuple(
        f'office_{name}' for name in ('amazon', 'caltech10', 'dslr', 'webcam')
    ),
    'fake': ('fake', 'fake_shifted'),
}
# {method: its tasks}
METHODS = {
    'object_alone': ('object',),
    'domain_alone': ('domain',),
    'fixed': ('object', 'domain'),
    'uncertainty': ('object', 'domain'),
    'domain_alone_half': ('domain',),
    'fixed_half': ('object', 'domain'),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Class and domain of photographs and drawings, by one network or two."""

    data: str = 'pacs'
    """pacs, office_caltech10, or two domains or more, separated by commas: names of
    `python -m experiments.data list`, folder:PATH, npz:PATH or tfds:NAME."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 96
    """Side of the images in pixels."""
    methods: str = 'all'
    """all, or names of methods separated by commas."""
    seeds: int = 3
    steps: int = 200
    batch: int = 32
    rate: float = 1e-2
    """Adam's rate of the heads; it rises over a tenth of the steps and falls to 0 as a
    cosine."""
    trunk: float = 0.03
    """Rate of the pretrained trunk over that of the heads."""
    held_out: float = 0.0
    """To choose rates: share of the training images that is held out and tested instead
    of the test images."""


class Prepared(NamedTuple):
    """Images of all domains with both labels, and the pretrained weights."""

    # A label is class * (d + 1) + domain; domain d stands for an unknown one
    train: data.Arrays
    test: data.Arrays
    classes: Mapping[str, int]  # {task: number of its labels}
    encoder: encoders.Encoder


def build(config: Config) -> runs.Study:
    """The study of a config."""
    names_of(config.data)  # raises for an unknown name
    encoders.build(config.backbone)  # refuses an unknown name
    names = tuple(METHODS) if config.methods == 'all' else config.methods.split(',')
    for name in names:
        choices.check('method', name, METHODS)
    group = ', '.join(map(domain_specs.short_name, config.data.split(',')))
    return runs.Study(
        name='transfer.multi_task',
        config=config,
        task=f'{group}, {config.backbone} at {config.size} pixels'
        + (', training images tested' if config.held_out else ''),
        trials=tuple(
            {'method': name, 'seed': seed}
            for seed in range(config.seeds)
            for name in names
        ),
        prepare=functools.partial(prepare, config),
        measure=functools.partial(measure, config),
        values=('object_accuracy', 'domain_accuracy'),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """Both groups of domains."""
    yield Config()
    yield Config('office_caltech10')


def fast() -> Config:
    """A run of seconds on generated images."""
    few = {'size': 32, 'seeds': 1, 'steps': 3, 'batch': 8}
    return Config('fake', encoders.TINY, methods='uncertainty,domain_alone_half', **few)


def names_of(group: str) -> tuple[str, ...]:
    """The domains of a group's name, or of a list separated by commas.

    Raises:
      ValueError: no such group or domain, or one domain alone.
    """
    if group in GROUPS:
        return GROUPS[group]
    names = tuple(group.split(','))
    if len(names) < 2:
        raise ValueError(
            f'no data {group!r}; choose from {", ".join(GROUPS)}, or give two domains '
            'or more, separated by commas'
        )
    return tuple(map(domain_specs.check, names))


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """All domains as one data set."""
    domains = [
        data.load(name, size=config.size, data_dir=data_dir)
        for name in names_of(config.data)
    ]
    classes = domains[0].classes
    for domain in domains:
        if domain.classes != classes:
            raise ValueError(f'{domain.name} has other classes than {domains[0].name}')
    labels = [*(domain.name for domain in domains), 'not known']
    names = tuple(f'{name}, {label}' for name in classes for label in labels)

    def joined(parts) -> data.Arrays:
        label = [part.label * len(labels) + i for i, part in enumerate(parts)]
        image = np.concatenate([part.image for part in parts])
        return data.Arrays(image, np.concatenate(label).astype(np.int32), names)

    train = joined([domain.train for domain in domains])
    test = joined([domain.test for domain in domains])
    if config.held_out:
        order = np.random.default_rng(0).permutation(len(train))
        cut = round(config.held_out * len(train))
        train, test = train.take(order[cut:]), train.take(order[:cut])
    return Prepared(
        train,
        test,
        {'object': len(classes), 'domain': len(domains)},
        encoders.load(config.backbone, data_dir),
    )


def measure(config: Config, prepared: Prepared, trial: Mapping) -> dict[str, float]:
    """Test accuracy of the tasks that a method trains."""
    name, seed = trial['method'], trial['seed']
    tasks = tuple((task, prepared.classes[task]) for task in METHODS[name])
    method = _method(config, tasks, name == 'uncertainty')
    encoder = prepared.encoder
    start = methods.start_from(
        {'encoder': encoder.params}, {'encoder': encoder.model_state}
    )
    train, domains = prepared.train, prepared.classes['domain']
    if name.endswith('_half'):
        train = _without_domains(train, domains, seed)
    stream = training_trials.labelled(
        train, encoder.scale, batch=config.batch, seed=seed
    ).map(functools.partial(_split_batch, METHODS[name], domains))
    state = training_trials.train(method, start, stream, steps=config.steps, seed=seed)
    row = {}
    for task in METHODS[name]:
        part = _with_label(prepared.test, task, domains)
        test = evaluation_data.batches(part, encoder.scale)
        own = methods.single_task(method, task)
        scores = training_trials.score(own, state, test, prepared.classes[task])
        row[f'{task}_accuracy'] = scores['accuracy']
        if name == 'uncertainty':
            row[f'{task}_sigma'] = float(np.exp(state.params['uncertainty'][task]))
    return row


# Cached: one compiled step for all seeds, and for methods that differ only in labels
@functools.cache
def _method(config, tasks, uncertainty):
    """The training of the tasks ((name, number of labels), ...) together."""
    rate = optim.scaled(
        optax.warmup_cosine_decay_schedule(0.0, 1.0, config.steps // 10, config.steps),
        config.rate,
    )
    tx = optim.adam(rate)
    txs = {task: tx for task, _ in tasks}
    txs['encoder'] = optim.adam(optim.scaled(rate, config.trunk))
    if uncertainty:
        txs['uncertainty'] = tx
    return methods.multi_task(
        encoders.build(config.backbone),
        {task: models.Classifier(classes) for task, classes in tasks},
        txs=txs,
        weights=None
        if uncertainty
        else {task: optim.constant(1.0) for task, _ in tasks},
    )


def _without_domains(part, domains, seed):
    """Removes the domain label of a random half of the images."""
    rows = np.random.default_rng([seed, 1]).permutation(len(part))[: len(part) // 2]
    label = part.label.copy()
    label[rows] += domains - label[rows] % (domains + 1)
    return data.Arrays(part.image, label, part.classes)


def _split(label, domains):
    """{task: labels (n,)}; losses.UNKNOWN, -1, for an unknown domain."""
    object_label, domain = np.divmod(label, domains + 1)
    known = domain < domains
    return {'object': object_label, 'domain': np.where(known, domain, losses.UNKNOWN)}


def _split_batch(tasks, domains, batch):
    """The batch with a label for each task."""
    labels = _split(batch['source']['label'], domains)
    return {
        'source': {
            'image': batch['source']['image'],
            'labels': {task: labels[task] for task in tasks},
        }
    }


def _with_label(part, task, domains):
    """The images with the label of one task."""
    label = _split(part.label, domains)[task]
    return data.Arrays(part.image, label, tuple(map(str, range(label.max() + 1))))


if __name__ == '__main__':
    cli.main(Config, build)
