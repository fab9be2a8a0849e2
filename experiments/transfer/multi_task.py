"""Multi-task learning with one trunk: what is shown, and in which style.

Each image of PACS has two labels: its class (7) and its domain (4: photograph,
painting, cartoon, sketch). A pretrained network is fine-tuned for one of them, or for
both with a head each (Caruana 1997), the losses added up or weighed by learned
homoscedastic uncertainty (Kendall, Gal & Cipolla, CVPR 2018). No result is published
for this pair of tasks; Kendall's own (semantics, instances and depth of CityScapes)
gain from the other tasks and from learned weights.

    python -m experiments.transfer.multi_task
    python -m experiments.transfer.multi_task --config.data office_caltech10

Arms: object_alone and domain_alone train a head each on a trunk of its own; fixed adds
the two losses; uncertainty learns their weights. In the arms that end in _half a random
half of the training images has no domain label: domain_alone_half has no more than
those to learn from, fixed_half also sees the others' classes.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from experiments.tasks import encoders, training_trials
from transfer_jax import cli, data, losses, methods, models, runs
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
# {arm: its tasks}
ARMS = {
    'object_alone': ('object',),
    'domain_alone': ('domain',),
    'fixed': ('object', 'domain'),
    'uncertainty': ('object', 'domain'),
    'domain_alone_half': ('domain',),
    'fixed_half': ('object', 'domain'),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Class and domain of photographs and drawings, by one network or by two."""

    data: str = 'pacs'
    """pacs or office_caltech10."""
    backbone: str = 'squeezenet'
    """A pretrained network, see transfer_jax/recipes/backbones.py."""
    size: int = 96
    """Side of the images."""
    arms: str = 'all'
    """all, or some of them with commas between."""
    seeds: int = 3
    steps: int = 200
    batch: int = 32
    rate: float = 1e-2
    """Of Adam, for the heads, after a tenth of the steps; it falls to 0 as a cosine."""
    trunk: float = 0.03
    """Rate of the pretrained trunk over that of the heads."""
    held_out: float = 0.0
    """Share of the training images that is tested instead of the test images, and not
    trained on: to choose rates by."""


class Prepared(NamedTuple):
    """Images of all domains with both labels, and the pretrained weights."""

    # A label is class * (d + 1) + domain; the domain d is one that is not known
    train: data.Arrays
    test: data.Arrays
    classes: Mapping[str, int]  # {task: number of its labels}
    encoder: encoders.Encoder


def build(config: Config) -> runs.Study:
    """The study of a config."""
    if config.data not in GROUPS:
        raise ValueError(f'no data {config.data!r}; choose from {", ".join(GROUPS)}')
    encoders.build(config.backbone)  # refuses a name that is not known
    arms = tuple(ARMS) if config.arms == 'all' else tuple(config.arms.split(','))
    for arm in arms:
        if arm not in ARMS:
            raise ValueError(f'no arm {arm!r}; choose from {", ".join(ARMS)}')
    return runs.Study(
        name='transfer.multi_task',
        config=config,
        task=f'{config.data}, {config.backbone} at {config.size} pixels'
        + (', training images tested' if config.held_out else ''),
        cells=tuple(
            {'arm': arm, 'seed': seed} for seed in range(config.seeds) for arm in arms
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
    return Config('fake', encoders.TINY, arms='uncertainty,domain_alone_half', **few)


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """All domains as one data set."""
    found = [
        data.load(name, size=config.size, data_dir=data_dir)
        for name in GROUPS[config.data]
    ]
    classes = found[0].classes
    for domain in found:
        if domain.classes != classes:
            raise ValueError(f'{domain.name} has other classes than {found[0].name}')
    kinds = [*(domain.name for domain in found), 'not known']
    names = tuple(f'{name}, {kind}' for name in classes for kind in kinds)

    def joined(parts) -> data.Arrays:
        label = [part.label * len(kinds) + i for i, part in enumerate(parts)]
        image = np.concatenate([part.image for part in parts])
        return data.Arrays(image, np.concatenate(label).astype(np.int32), names)

    train = joined([domain.train for domain in found])
    test = joined([domain.test for domain in found])
    if config.held_out:
        order = np.random.default_rng(0).permutation(len(train))
        cut = round(config.held_out * len(train))
        train, test = train.take(order[cut:]), train.take(order[:cut])
    return Prepared(
        train,
        test,
        {'object': len(classes), 'domain': len(found)},
        encoders.load(config.backbone, data_dir),
    )


def measure(config: Config, prepared: Prepared, cell: Mapping) -> dict[str, float]:
    """Test accuracy of the tasks that an arm trains."""
    arm, seed = cell['arm'], cell['seed']
    tasks = tuple((task, prepared.classes[task]) for task in ARMS[arm])
    method = _method(config, tasks, arm == 'uncertainty')
    encoder = prepared.encoder
    start = methods.start_from(
        {'encoder': encoder.params}, {'encoder': encoder.model_state}
    )
    train, domains = prepared.train, prepared.classes['domain']
    if arm.endswith('_half'):
        train = _without_domains(train, domains, seed)
    stream = training_trials.labelled(
        train, encoder.scale, batch=config.batch, seed=seed
    ).map(functools.partial(_apart, ARMS[arm], domains))
    state = training_trials.train(method, start, stream, steps=config.steps, seed=seed)
    row = {}
    for task in ARMS[arm]:
        part = _of_task(prepared.test, task, domains)
        test = training_trials.held_out(part, encoder.scale)
        own = methods.of_task(method, task)
        found = training_trials.score(own, state, test, prepared.classes[task])
        row[f'{task}_accuracy'] = found['accuracy']
        if arm == 'uncertainty':
            row[f'{task}_sigma'] = float(np.exp(state.params['uncertainty'][task]))
    return row


@functools.cache  # one compiled step for all seeds, and for arms that differ in labels
def _method(config, tasks, weighed):
    """How the tasks, ((name, number of labels), ...), are trained together."""
    rate = optim.warmup_cosine(config.steps, config.rate, config.steps // 10)
    tx = optim.adam(rate)
    txs = {task: tx for task, _ in tasks}
    txs['encoder'] = optim.adam(optim.scaled(rate, config.trunk))
    if weighed:
        txs['uncertainty'] = tx
    return methods.multi_task(
        encoders.build(config.backbone),
        {task: models.Classifier(classes) for task, classes in tasks},
        txs=txs,
        weights=None if weighed else {task: optim.constant(1.0) for task, _ in tasks},
    )


def _without_domains(part, domains, seed):
    """A random half of the images loses the label of its domain."""
    rows = np.random.default_rng([seed, 1]).permutation(len(part))[: len(part) // 2]
    label = part.label.copy()
    label[rows] += domains - label[rows] % (domains + 1)
    return data.Arrays(part.image, label, part.classes)


def _split(label, domains):
    """{task: (n,)}, -1 where it is not known."""
    kind, domain = np.divmod(label, domains + 1)
    known = domain < domains
    return {'object': kind, 'domain': np.where(known, domain, losses.UNKNOWN)}


def _apart(tasks, domains, batch):
    """A batch with the labels of the tasks apart."""
    labels = _split(batch['source']['label'], domains)
    return {
        'source': {
            'image': batch['source']['image'],
            'labels': {task: labels[task] for task in tasks},
        }
    }


def _of_task(part, task, domains):
    """The images with one of their labels."""
    label = _split(part.label, domains)[task]
    return data.Arrays(part.image, label, tuple(map(str, range(label.max() + 1))))


if __name__ == '__main__':
    cli.main(Config, build)
