"""Pairs of domains: what a run trains on, and what its evaluations may read."""

import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from transfer_jax import data, runs, selection

# {--config.pair: (source, target, network)}
PAIRS = {
    'mnist_to_mnist_m': ('mnist', 'mnist_m', 'mnist'),
    'syn_digits_to_svhn': ('syn_digits', 'svhn', 'svhn'),
    'svhn_to_mnist': ('svhn', 'mnist', 'svhn'),
    'syn_signs_to_gtsrb': ('syn_signs', 'gtsrb', 'signs'),
    'mnist_to_usps': ('mnist', 'usps', 'mnist'),
    'usps_to_mnist': ('usps', 'mnist', 'mnist'),
    'digits_to_digits_m': ('digits', 'digits_m', 'mnist'),
    'fake_to_fake_shifted': ('fake', 'fake_shifted', 'mnist'),
}
SIZES = {'mnist': 28, 'svhn': 32, 'signs': 40, 'lenet': 28}  # {network: image side}
GRAY = ('mnist', 'usps')  # 'lenet' sees one channel where both domains are of these
# Of named domains; the others have ten.
CLASSES = {'gtsrb': 43, 'syn_signs': 43, 'fake': 4, 'fake_shifted': 4}
EVALUATION_BATCH = 100  # larger ones are slower on CPU: patches outgrow its caches
CAP_SEED = 0  # of the images that validators see

# Protocol 'adda' (Tzeng et al. 2017): images drawn by seed from the training sets, the
# target ones also the test set (transductive). {domain: (training, validation)}
DRAWN = {'mnist': (2000, 1000), 'usps': (1800, 500)}
# Protocol 'skada' (skada-bench): a fifth of each training set held out by seed; the
# target's fifth is the test set.
HELD_OUT = 0.2
PROTOCOLS = ('full', 'adda', 'skada')


class Pair(NamedTuple):
    """The data of one run. The target's training images have no labels to look at."""

    classes: tuple[str, ...]
    source: data.Arrays
    source_validation: data.Arrays
    target: data.Images
    target_test: data.Arrays
    mean: np.ndarray  # per channel of both domains' training images, in [0, 1]
    seed: int  # of the run, for its streams


class Task(NamedTuple):
    """Which pair, seen through which network, under which protocol."""

    source: str
    target: str
    network: str
    protocol: str
    classes: int

    def __str__(self) -> str:
        return f'{_plain(self.source)}_to_{_plain(self.target)}, {self.protocol}'


def task(
    pair: str,
    source: str,
    target: str,
    *,
    network: str = '',
    protocol: str = 'full',
    classes: int = 0,
) -> Task:
    """The flags of a page as a task; reads no more than the names of classes.

    Raises:
      ValueError: an unknown pair, network or protocol, or half a pair of one's own.
    """
    if pair not in PAIRS:
        raise ValueError(f'no pair {pair!r}; choose from {", ".join(PAIRS)}')
    if protocol not in PROTOCOLS:
        raise ValueError(
            f'no protocol {protocol!r}; choose from {", ".join(PROTOCOLS)}'
        )
    if network and network not in SIZES:
        raise ValueError(f'no network {network!r}; choose from {", ".join(SIZES)}')
    if bool(source) != bool(target):
        raise ValueError(
            'give both --config.source and --config.target, or --config.pair'
        )
    known = (source, target, 'mnist') if source else PAIRS[pair]
    return Task(
        known[0],
        known[1],
        network or known[2],
        protocol,
        classes or _count_classes(known[0]),
    )


def load_pair(task: Task, seed: int, data_dir: str | None) -> Pair:
    """Both domains at the network's size, classes matched by name.

    Protocol 'full': all training images; source validation from the source's test
    part, or, where source and target are the same domain, from its training part.
    'adda' and 'skada' draw theirs by seed; see DRAWN and HELD_OUT.

    Raises:
      ValueError: the two sides have different classes, naming both.
    """
    size = SIZES[task.network]
    source = data.load(task.source, size=size, data_dir=data_dir)
    target = data.load(task.target, size=size, data_dir=data_dir)
    target = _match(source, target)
    if image_shape(task)[-1] == 1:
        source, target = _one_channel(source), _one_channel(target)
    if len(source.classes) != task.classes:
        raise ValueError(
            f'{task.source} has {len(source.classes)} classes, not {task.classes}; '
            f'give --config.classes {len(source.classes)}'
        )
    if task.protocol == 'adda':
        parts = _draw(source, target, seed)
    elif task.protocol == 'skada':
        target_parts = _split(target.train, np.random.default_rng([seed, 3]))
        alone = task.source == task.target  # train on target: on what is not held out
        labelled = target_parts[0] if alone else source.train
        source_parts = _split(labelled, np.random.default_rng([seed, 2]))
        parts = (*source_parts, *target_parts)
    elif task.source == task.target:
        order = np.random.default_rng(CAP_SEED).permutation(len(source.train))
        cut = min(selection.MOST, len(order) // 10)
        kept, validation = source.train.take(order[cut:]), order[:cut]
        parts = (kept, source.train.take(validation), target.train, target.test)
    else:
        parts = (source.train, source.test, target.train, target.test)
    train, validation, target_train, target_test = parts
    images = data.Images(target_train.image)
    mean = data.channel_mean(train, images)
    return Pair(source.classes, train, validation, images, target_test, mean, seed)


def image_shape(task: Task) -> tuple[int, int, int]:
    """(h, w, c) of the images of a task."""
    gray = task.network == 'lenet' and {task.source, task.target} <= set(GRAY)
    return SIZES[task.network], SIZES[task.network], 1 if gray else 3


def held_out(pair: Pair) -> runs.HeldOut:
    """What the evaluations of a run read; at most 2,000 images for each validator."""

    def read(source):
        return data.batches(source, min(EVALUATION_BATCH, len(source))).map(
            data.normalise(pair.mean)
        )

    validation = pair.source_validation.take(_cap(len(pair.source_validation)))
    unlabelled = data.Images(pair.target.image[_cap(len(pair.target))])
    return runs.HeldOut(read(validation), read(unlabelled), read(pair.target_test))


def stream(
    pair: Pair,
    *,
    source_batch: int,
    target_batch: int = 0,
    source_transform: data.transforms.Transform | None = None,
    target_transform: data.transforms.Transform | None = None,
) -> data.Stream:
    """Normalised training batches; without a target batch, of the source alone."""
    streams = {
        'source': data.labelled(
            pair.source,
            batch_size=source_batch,
            seed=pair.seed,
            transform=source_transform,
            name='source',
        )
    }
    if target_batch:
        streams['target'] = data.unlabelled(
            pair.target,
            batch_size=target_batch,
            seed=pair.seed,
            transform=target_transform,
            name='target',
        )
    return data.zipped(**streams).map(data.normalise(pair.mean))


def samples(pair: Pair) -> dict[str, data.Arrays]:
    """Labelled images of both domains to look at; the target's from its test part."""
    parts = {'source': pair.source, 'target': pair.target_test}
    return {
        name: data.Arrays(_rgb(part.image), part.label, part.classes)
        for name, part in parts.items()
    }


def _plain(spec: str) -> str:
    """A domain's name; of a path, its last part: no folder of a machine in a table."""
    kind, _, rest = spec.partition(':')
    return os.path.basename(rest.rstrip('/')) if rest else kind


def _count_classes(spec: str) -> int:
    """Classes of a domain, from the names of folders or the labels of an .npz."""
    kind, _, rest = spec.partition(':')
    place = pathlib.Path(rest).expanduser()
    if kind == 'folder' and place.is_dir():
        root = place / 'train' if (place / 'train').is_dir() else place
        return sum(p.is_dir() and not p.name.startswith('.') for p in root.iterdir())
    if kind == 'npz' and place.is_file():
        return len(data.sources.from_npz(place).classes)
    return CLASSES.get(spec, 10)


def _match(source: Any, target: Any) -> Any:
    """The target with its labels numbered as the source's classes."""
    if source.classes == target.classes:
        return target
    if set(source.classes) != set(target.classes):
        raise ValueError(
            f'classes differ: source {source.name} has {", ".join(source.classes)}; '
            f'target {target.name} has {", ".join(target.classes)}'
        )
    order = np.array([source.classes.index(name) for name in target.classes], np.int32)

    def renumber(part):
        return data.Arrays(part.image, order[part.label], source.classes)

    return target._replace(train=renumber(target.train), test=renumber(target.test))


def _draw(source: Any, target: Any, seed: int) -> tuple[data.Arrays, ...]:
    """Protocol 'adda': the parts drawn by seed; the target is its own test set."""
    for domain in (source, target):
        if domain.name not in DRAWN:
            raise ValueError(
                f'protocol adda is defined for {", ".join(DRAWN)}, not {domain.name}'
            )
    rng = np.random.default_rng([seed, 1])
    count, validation = DRAWN[source.name]
    rows = rng.permutation(len(source.train))[: count + validation]
    chosen = rng.permutation(len(target.train))[: DRAWN[target.name][0]]
    if source.name == target.name:  # train on target: on other images of it
        rows = np.setdiff1d(rows, chosen)
        count = len(rows) - validation // 2
    drawn = target.train.take(chosen)
    return (
        source.train.take(rows[:count]),
        source.train.take(rows[count:]),
        drawn,
        drawn,
    )


def _split(part: data.Arrays, rng: np.random.Generator) -> tuple[data.Arrays, ...]:
    """Protocol 'skada': (four fifths, one fifth)."""
    order = rng.permutation(len(part))
    cut = round(HELD_OUT * len(part))
    return part.take(order[cut:]), part.take(order[:cut])


def _one_channel(domain: Any) -> Any:
    """A gray domain without the copies of its channel."""

    def cut(part):
        gray = np.ascontiguousarray(part.image[..., :1])
        return data.Arrays(gray, part.label, part.classes)

    return domain._replace(train=cut(domain.train), test=cut(domain.test))


def _rgb(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image, (*image.shape[:-1], 3))


def _cap(count: int) -> np.ndarray:
    """Indices of at most 2,000 of `count`, the same for every run."""
    order = np.random.default_rng(CAP_SEED).permutation(count)
    return np.sort(order[: selection.MOST])
