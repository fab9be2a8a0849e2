"""Pairs of digit domains: training data, held-out data, protocols."""

from typing import Any, NamedTuple

import numpy as np

from experiments.tasks import choices, domain_specs, evaluation_data
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
GRAY = ('mnist', 'usps')  # if both domains are of these, 'lenet' sees one channel
# Of named domains; the others have ten.
CLASSES = {'gtsrb': 43, 'syn_signs': 43, 'fake': 4, 'fake_shifted': 4}

# Protocol 'adda' (Tzeng et al. 2017): images drawn by seed from the training sets; the
# target's are also the test set (transductive). {domain: (training, validation)}
DRAWN = {'mnist': (2000, 1000), 'usps': (1800, 500)}
# Protocol 'skada' (skada-bench): a fifth of each training set held out by seed; the
# target's fifth is the test set.
HELD_OUT = 0.2
PROTOCOLS = ('full', 'adda', 'skada')


class Pair(NamedTuple):
    """The data of one run. The type of the target's training images has no labels."""

    classes: tuple[str, ...]
    source: data.Arrays
    source_validation: data.Arrays
    target: data.Images
    target_test: data.Arrays
    mean: np.ndarray  # per channel of both domains' training images, in [0, 1]
    seed: int  # of the run, for its streams


class Task(NamedTuple):
    """A pair of domains, the network that sets the image size, and the protocol."""

    source: str
    target: str
    network: str
    protocol: str
    classes: int

    def __str__(self) -> str:
        source, target = map(domain_specs.short_name, (self.source, self.target))
        return f'{source}_to_{target}, {self.protocol}'


def task(
    pair: str,
    source: str,
    target: str,
    *,
    network: str = '',
    protocol: str = 'full',
    classes: int = 0,
) -> Task:
    """The task of an experiment's flags; reads at most the names of classes.

    Raises:
      ValueError: an unknown pair, network or protocol, or a source without a target.
    """
    choices.check('pair', pair, PAIRS)
    choices.check('protocol', protocol, PROTOCOLS)
    if network:
        choices.check('network', network, SIZES)
    if bool(source) != bool(target):
        raise ValueError(
            'give both --config.source and --config.target, or --config.pair'
        )
    source, target, default = (source, target, 'mnist') if source else PAIRS[pair]
    return Task(
        source, target, network or default, protocol, classes or _count_classes(source)
    )


def load_pair(task: Task, seed: int, data_dir: str | None) -> Pair:
    """Loads both domains at the network's size and matches their classes by name.

    Protocol 'full' trains on all training images. Source validation is the source's
    test part; if source and target are the same domain, it is drawn from the training
    part. 'adda' and 'skada' draw their parts by seed; see DRAWN and HELD_OUT.

    Raises:
      ValueError: the domains have different classes; the message lists both.
    """
    size = SIZES[task.network]
    source = data.load(task.source, size=size, data_dir=data_dir)
    target = data.load(task.target, size=size, data_dir=data_dir)
    target = data.class_names.match(source, target)
    if image_shape(task)[-1] == 1:
        source, target = _one_channel(source), _one_channel(target)
    if len(source.classes) != task.classes:
        raise ValueError(
            f'{task.source} has {len(source.classes)} classes, not {task.classes}; '
            f'give --config.classes {len(source.classes)}'
        )
    if task.protocol == 'adda':
        parts = _draw(task, source, target, seed)
    elif task.protocol == 'skada':
        target_parts = _split(target.train, np.random.default_rng([seed, 3]))
        # Train on target uses the part that is not held out.
        train_on_target = task.source == task.target
        labelled = target_parts[0] if train_on_target else source.train
        source_parts = _split(labelled, np.random.default_rng([seed, 2]))
        parts = (*source_parts, *target_parts)
    elif task.source == task.target:
        rng = np.random.default_rng(evaluation_data.CAP_SEED)
        order = rng.permutation(len(source.train))
        cut = min(selection.MAX_IMAGES, len(order) // 10)
        rest, validation = (source.train.take(o) for o in (order[cut:], order[:cut]))
        parts = (rest, validation, target.train, target.test)
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
    capped, scale = evaluation_data.capped, data.normalise(pair.mean)
    validation = pair.source_validation.take(capped(len(pair.source_validation)))
    unlabelled = data.Images(pair.target.image[capped(len(pair.target))])
    parts = (validation, unlabelled, pair.target_test)
    return runs.HeldOut(*(evaluation_data.batches(part, scale) for part in parts))


def stream(
    pair: Pair,
    *,
    source_batch: int,
    target_batch: int = 0,
    source_transform: data.transforms.Transform | None = None,
    target_transform: data.transforms.Transform | None = None,
    balanced: bool = False,
) -> data.Stream:
    """Normalised training batches; of the source alone if target_batch is 0.

    Args:
      balanced: source batches have equally many images of each class.

    Raises:
      ValueError: a domain has fewer images than a batch takes of it.
    """
    for name, part, size in (
        ('source', pair.source, source_batch),
        ('target', pair.target, target_batch),
    ):
        if size > len(part):
            raise ValueError(
                f'--config.batch: a step takes {size} images of the {name}, which has '
                f'{len(part)}; give a smaller one'
            )
    streams = {
        'source': data.labelled(
            pair.source,
            batch_size=source_batch,
            seed=pair.seed,
            transform=source_transform,
            name='source',
            balanced=balanced,
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


def inputs(pair: Pair) -> runs.Inputs:
    """How a photograph becomes an input of a network trained on the pair."""
    height, width, channels = pair.source.image.shape[1:]
    mean = tuple(float(m) for m in np.ravel(pair.mean))
    return runs.Inputs((height, width), channels, mean, (1.0,) * len(mean))


def samples(pair: Pair) -> dict[str, data.Arrays]:
    """Labelled images for the report; the target's are of its test part."""
    parts = {'source': pair.source, 'target': pair.target_test}
    return {
        name: data.Arrays(_rgb(part.image), part.label, part.classes)
        for name, part in parts.items()
    }


def _count_classes(spec: str) -> int:
    """Classes of a domain, from the names of folders or the labels of an .npz."""
    folder = domain_specs.existing_path(spec, 'folder')
    if folder and folder.is_dir():
        return domain_specs.count_folder_classes(folder)
    file = domain_specs.existing_path(spec, 'npz')
    if file and file.is_file():
        return len(data.npz.class_names(file))
    return CLASSES.get(spec, 10)


def _draw(
    task: Task, source: data.Domain, target: data.Domain, seed: int
) -> tuple[data.Arrays, ...]:
    """Protocol 'adda': parts drawn by seed; the target's part is also the test set."""
    for name in (task.source, task.target):
        if name not in DRAWN:
            raise ValueError(
                f'protocol adda is defined for {", ".join(DRAWN)}, not {name}: '
                'give --config.protocol full'
            )
    rng = np.random.default_rng([seed, 1])
    count, validation = DRAWN[task.source]
    rows = rng.permutation(len(source.train))[: count + validation]
    chosen = rng.permutation(len(target.train))[: DRAWN[task.target][0]]
    if task.source == task.target:  # train on target uses other images of the domain
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
    """A gray domain with one channel in place of three equal ones."""

    def cut(part):
        gray = np.ascontiguousarray(part.image[..., :1])
        return data.Arrays(gray, part.label, part.classes)

    return domain._replace(train=cut(domain.train), test=cut(domain.test))


def _rgb(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image, (*image.shape[:-1], 3))
