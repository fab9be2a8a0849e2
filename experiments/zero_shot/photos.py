"""Photographs and drawings named by an ImageNet classifier, without an example.

ConSE (Norouzi et al., ICLR 2014): the likeliest ImageNet classes of an image, weighted
by their probabilities, give a mean word vector, and the nearest name of a test class is
the answer. Nothing is trained and no test image has a label.

Read the rows 'taken out': the ImageNet classes of the same WordNet subtree as a test
class do not vote (experiments/zero_shot/subtrees.py). With all of them, dog breeds
vote for dog, and that is no zero-shot learning. No number is published for these sets;
another implementation gave, with MobileNetV2 and one list of removed names, 36.4 on
PACS photographs, 22.1, 22.9 and 26.4 on its art, cartoons and sketches (chance 14.3),
and 42.8 on 20 classes of Caltech-101 (chance 5).

    python -m experiments.zero_shot.photos
    python -m experiments.zero_shot.photos --config.data folder:PHOTOS

The number of voting classes, the temperature and whether vectors are centred are chosen
on ImageNet classes: 3 draws of half of the classes in imagenet_samples are named by the
other ImageNet classes. Accuracies are means over classes. `statistics` target: batch
norm has the statistics of the unlabelled test images (AdaBN, Li et al., 2016), which
only MobileNetV1 can have, because the file of MobileNetV2 has no batch norm left.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.tasks import choices
from experiments.zero_shot import classifier, nearest, subtrees
from transfer_jax import cli, data, metrics, runs, zero_shot
from transfer_jax.data import word_vectors
from transfer_jax.recipes import backbones

PACS = ('pacs_photo', 'pacs_art_painting', 'pacs_cartoon', 'pacs_sketch')
SAMPLES = 'imagenet_samples'
WITH_NORM = ('mobilenet_v1',)
CLASSES = ('all', 'taken out')
TOP = (1, 3, 5, 10, 30, 100, 1000)
TEMPERATURE = (0.5, 1.0, 2.0, 4.0)
DRAWS = 3
GENERATED = 'generated'
SHOWN = 8  # images of a class in the picture


@dataclasses.dataclass(frozen=True)
class Config:
    """ConSE from ImageNet classifiers to photographs with names."""

    data: str = ','.join((*PACS, 'caltech101'))
    """Domains separated by commas; folder:PATH for own photographs."""
    networks: str = 'mobilenet_v2,mobilenet_v1'
    """Backbones with 1,000 outputs, separated by commas."""
    words: str = ''
    """A file of word vectors; by default that of the data folder."""
    weights: str = 'pretrained'
    """pretrained, or random for tests."""
    size: int = 224
    """Side of the images in pixels."""


class Voting(NamedTuple):
    """Constants of ConSE."""

    top: int
    temperature: float
    centred: bool

    def words(self) -> str:
        """In words."""
        centred = 'centred' if self.centred else 'not centred'
        return f'top {self.top}, temperature {self.temperature:g}, {centred}'


class Prepared(NamedTuple):
    """What the trials read, each computed once."""

    table: word_vectors.WordVectors
    images: Any  # domain -> (image (n, h, w, 3), label (n,), classes)
    logits: Any  # (domain, network, statistics) -> (n, 1000)
    choose: Any  # network -> (Voting, its validation accuracy)


def build(config: Config) -> runs.Study:
    """The study of a config."""
    choices.check('weights', config.weights, ('pretrained', 'random'))
    networks = config.networks.split(',')
    for network in networks:
        if backbones.get(network).classes != 1000:
            raise ValueError(
                f'{network} is no classifier of the 1,000 ImageNet classes'
            )
    rows = [
        (network, statistics)
        for network in networks
        for statistics in ('source', 'target')
        if statistics == 'source' or network in WITH_NORM
    ]
    return runs.Study(
        name='zero_shot.photos',
        config=config,
        task='Zero-shot by names, ConSE from ImageNet',
        trials=tuple(
            {
                'imagenet_classes': classes,
                'network': network,
                'statistics': statistics,
                'data': name,
            }
            for classes in CLASSES
            for network, statistics in rows
            for name in config.data.split(',')
        ),
        prepare=functools.partial(prepare, config),
        measure=measure,
        over=(),
        across='data',
        values=('accuracy',),
        pictures=functools.partial(_pictures, config),
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """PACS and Caltech-101."""
    yield Config()


def fast() -> Config:
    """A run of seconds: generated images and words, random weights."""
    return Config('fake', 'mobilenet_v1', GENERATED, 'random', 32)


def prepare(config: Config, data_dir: str | None) -> Prepared:
    """The word vectors, and functions that read and compute the rest."""
    known = subtrees.imagenet()
    if config.words == GENERATED:
        table = _generated(known.names)
    elif config.words:
        table = word_vectors.read(config.words)
    else:
        table = word_vectors.load(data_dir)

    @functools.cache
    def images(name):
        domain = data.load(name, size=config.size, data_dir=data_dir)
        parts = [domain.train, domain.test]
        if name == SAMPLES or domain.train is domain.test:
            parts = parts[:1]
        image = np.concatenate([part.image for part in parts])
        label = np.concatenate([part.label for part in parts])
        return image, label, domain.classes

    @functools.cache
    def logits(name, network, statistics):
        return classifier.logits(
            network,
            images(name)[0],
            target_statistics=statistics == 'target',
            pretrained=config.weights == 'pretrained',
            data_dir=data_dir,
        )

    @functools.cache
    def choose(network):
        name = SAMPLES if config.weights == 'pretrained' else 'fake'
        return _choose(
            table, known.names, logits(name, network, 'source'), images(name)
        )

    return Prepared(table, images, logits, choose)


def measure(prepared: Prepared, trial: Mapping[str, Any]) -> dict[str, Any]:
    """The accuracy of a network's names for the images of a domain."""
    voting, validation = prepared.choose(trial['network'])
    scores, label, votes = _scores(prepared, trial, voting)
    predicted = scores.argmax(1)
    present = np.unique(label)
    classes = prepared.images(trial['data'])[2]
    shares = {classes[c]: float(np.mean(predicted[label == c] == c)) for c in present}
    return {
        'accuracy': metrics.mean_class_accuracy(predicted, label, present),
        'constants': voting.words(),
        'validation': validation,
        'voting_classes': votes,
        'by_class': shares,
    }


def _scores(prepared, trial, voting) -> tuple[np.ndarray, np.ndarray, int]:
    """(scores (n, c), labels (n,), how many ImageNet classes vote)."""
    _, label, classes = prepared.images(trial['data'])
    out = np.zeros(1000, bool)
    if trial['imagenet_classes'] != CLASSES[0]:
        out = subtrees.taken_out(classes)
    names = subtrees.imagenet().names
    logits = prepared.logits(trial['data'], trial['network'], trial['statistics'])
    words = [subtrees.words_of(name) for name in classes]
    target = word_vectors.of_names(prepared.table, words, centre=voting.centred)
    seen, votes = _seen(prepared.table, names, ~out, voting.centred)
    return _conse(logits[:, votes], seen, target.vectors, voting), label, len(votes)


def _seen(table, names, may_vote, centred) -> tuple[np.ndarray, np.ndarray]:
    """(vectors of the ImageNet classes that vote, their numbers)."""
    vectors, known = word_vectors.means(table, names)
    votes = np.flatnonzero(known & may_vote)
    return vectors[votes] - (table.mean if centred else 0), votes


def _conse(logits, seen, vectors, voting) -> np.ndarray:
    arrays = (jnp.asarray(a, jnp.float32) for a in (logits, seen, vectors))
    return np.asarray(_compiled(*arrays, voting.top, voting.temperature))


@jax.jit
def _compiled(logits, seen, vectors, top, temperature):
    how = {'top': top, 'temperature': temperature}
    return zero_shot.conse_scores(logits, seen, vectors, **how)


def _choose(table, names, logits, samples) -> tuple[Voting, float]:
    """The best constants where sampled ImageNet classes play the unseen ones."""
    _, label, _ = samples
    vectors, known = word_vectors.means(table, names)
    usable = [c for c in np.unique(label) if known[c]]
    accuracy: dict[Voting, list[float]] = {}
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(usable)
        unseen = np.sort(order[: max(2, len(order) // 2)])
        rows = np.flatnonzero(np.isin(label, unseen))
        may_vote = ~np.isin(np.arange(len(names)), unseen)
        for centred in (False, True):
            seen, votes = _seen(table, names, may_vote, centred)
            target = vectors[unseen] - (table.mean if centred else 0)
            for top, temperature in itertools.product(TOP, TEMPERATURE):
                voting = Voting(top, temperature, centred)
                scores = _conse(logits[np.ix_(rows, votes)], seen, target, voting)
                right = unseen[scores.argmax(1)] == label[rows]
                accuracy.setdefault(voting, []).append(float(right.mean()))
    means = {voting: float(np.mean(values)) for voting, values in accuracy.items()}
    best = max(means, key=means.get)
    return best, means[best]


def _generated(names) -> word_vectors.WordVectors:
    """A random vector for each word, for tests."""
    listed = sorted({w for name in names for w in word_vectors.words(name)})
    listed += [w for w in map(str, range(10)) if w not in listed]
    vectors = np.random.default_rng(0).normal(size=(len(listed), 16))
    row = {word: i for i, word in enumerate(listed)}
    return word_vectors.WordVectors(row, vectors, vectors.mean(0), GENERATED)


def _pictures(config, prepared):
    """The images nearest to each name, in the first domain of each kind."""
    drawn = {}
    network = config.networks.split(',')[0]
    voting, _ = prepared.choose(network)
    for name in config.data.split(','):
        trial = {'data': name, 'network': network, 'statistics': 'source'}
        trial['imagenet_classes'] = CLASSES[1]
        scores, label, _ = _scores(prepared, trial, voting)
        image, _, classes = prepared.images(name)
        title = f'{name}: the images nearest to each name, without its ImageNet classes'
        drawn[f'Nearest images, {name}'] = nearest.draw(
            image, scores, label, classes, title, SHOWN
        )
    return drawn


if __name__ == '__main__':
    cli.main(Config, build)
