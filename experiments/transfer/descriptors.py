"""Hand-made descriptors and a linear SVM on Caltech-101: what deep features replaced.

Published, on all 101 classes with 30 training images of each, mean accuracy per class:
bag of visual words 41.2 %, spatial pyramid 64.6 % (Lazebnik et al., CVPR 2006, table 2,
200 words); Fisher vectors 77.8 % (Chatfield et al., BMVC 2011). No number is published
for the 20 classes used here. Chance is 5 %; expect clearly less than a linear
classifier on deep features reaches on the same images (95 % and more).

    python -m experiments.transfer.descriptors

  hog      gradient histograms of the whole image (Dalal & Triggs, CVPR 2005)
  words    square roots of the share of each visual word in the image (Csurka et al.,
           ECCV workshop 2004), words being a k-means codebook of local descriptors; the
           roots make the linear kernel the Hellinger kernel
  pyramid  the same in 1 + 4 + 16 parts of the image (Lazebnik et al. 2006)
  fisher   the gradient of a Gaussian mixture's log-likelihood of the local descriptors,
           with signed square roots and unit length (Perronnin et al., ECCV 2010)
  hsv      square roots of the joint histogram of hue, saturation and value

Local descriptors are square roots of DAISY (Tola et al., TPAMI 2010) on a dense grid at
two radii. DAISY has SIFT's histograms on a circle; scikit-image's SIFT has no dense
grid. Codebook, mixture and PCA are learned from all training images, without labels.
Nilsback and Zisserman (ICVGIP 2008) describe flowers by a k-means codebook of HSV
values inside a segmentation; here the bins are fixed and the whole image is counted.
BiCoS, which segments the flower, is left out: it needs masks of its own.

Several descriptors together, as in Gehler and Nowozin (ICCV 2009): chi-square kernels
of the histograms and a Gaussian kernel of Fisher vectors, of all descriptors above:

  average_kernels   their mean
  product_kernels   their geometric mean
  weighted_kernels  their weighted sum; equal weights, one kernel alone, or halfway
                    between, as is best in the cross-validation

Then n training images of each class are drawn; 3-fold cross-validation on them chooses
the SVM's cost, and the weights. The test images are always the same. Draws, SVM and
costs are those of experiments.transfer.probing.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from experiments.tasks import choices
from experiments.transfer import (
    descriptor_kernels,
    local_descriptors,
    whole_descriptors,
)
from transfer_jax import cli, data, runs, shallow
from transfer_jax.data import features
from transfer_jax.reports import image_grids
from transfer_jax.training import log
from transfer_jax.types import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COSTS = (0.1, 1.0, 10.0, 100.0)  # of the SVM, for rows of length 1
FOLDS = 3
SHOWN = 8  # images in the report
COMBINED = ('average_kernels', 'product_kernels', 'weighted_kernels')


@dataclasses.dataclass(frozen=True)
class Config:
    """Descriptors of whole images, then a linear SVM."""

    domain: str = 'caltech101'
    """Any domain of experiments.data."""
    size: int = 128
    """Side of the images, in pixels."""
    descriptors: tuple[str, ...] = (
        'hog',
        'words',
        'pyramid',
        'fisher',
        'hsv',
        *COMBINED,
    )
    """Some of hog, words, pyramid, fisher, hsv; average_kernels, product_kernels and
    weighted_kernels combine those of the first that are named."""
    examples: tuple[int, ...] = (5, 10, 20, 30)
    """Training images of each class."""
    draws: int = 5
    """Draws of the training images."""
    cell: int = 16
    """Side of a HOG cell, in pixels."""
    step: int = 6
    """Step of the dense grid, in pixels."""
    radii: tuple[int, ...] = (8, 15)
    """Radii of the local descriptors, in pixels."""
    words: int = 500
    """Words in the codebook."""
    components: int = 64
    """Components of the Gaussian mixture."""
    dimension: int = 64
    """Dimension of the local descriptors after PCA, for the mixture."""


class Described(NamedTuple):
    """Both parts of a domain."""

    domain: data.Domain
    # {descriptor: (n, r) coordinates of unit vectors}
    train: Mapping[str, np.ndarray]
    test: Mapping[str, np.ndarray]
    kernels: Mapping[str, descriptor_kernels.Kernel]  # empty if none are combined


def build(config: Config) -> runs.Study:
    """The study of a config."""
    for name in config.descriptors:
        choices.check('descriptor', name, (*MAKERS, *COMBINED))
    combined = [name for name in config.descriptors if name in COMBINED]
    if combined and len(config.descriptors) < len(combined) + 2:
        raise ValueError(
            f'{combined[0]} combines two or more of {", ".join(MAKERS)}: name them, too'
        )
    return runs.Study(
        name='transfer.descriptors',
        config=config,
        task=f'{config.domain}, fixed descriptors and a linear SVM',
        trials=tuple(
            {'descriptor': name, 'n': n, 'seed': seed}
            for name in config.descriptors
            for n in config.examples
            for seed in range(config.draws)
        ),
        prepare=functools.partial(prepare, config),
        measure=measure,
        across='n',
        pictures=functools.partial(pictures, config.cell),
        fast=config == fast(),
    )


def prepare(config: Config, data_dir: str | None) -> Described:
    """Describes all images; codebook, PCA and mixture learn from training images."""
    domain = data.load(config.domain, size=config.size, data_dir=data_dir)
    images = [domain.train.image, domain.test.image]
    described, local = Described(domain, {}, {}, {}), None
    for name in config.descriptors:
        if name in COMBINED:
            continue
        inputs = images
        if name in LOCAL:
            if local is None:
                local = [
                    local_descriptors.dense(
                        whole_descriptors.grey(part), config.step, config.radii
                    )
                    for part in images
                ]
                log.console.print(f'local descriptors: {local[0][0].shape} an image')
            inputs = local
        vectors = MAKERS[name](*inputs, config)
        described.train[name], described.test[name] = _span(*vectors)
        if set(config.descriptors) & set(COMBINED):
            described.kernels[name] = _kernel(name, *vectors)
        log.console.print(f'{name}: {vectors[0].shape[1]:,} numbers')
    return described


def measure(described: Described, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Mean accuracy per class of an SVM on n drawn training images of each class."""
    domain, key = described.domain, jax.random.key(trial['seed'])
    rows = features.draw_per_class(domain.train.label, trial['n'], trial['seed'])
    svm = {'kind': 'svm', 'classes': len(domain.classes)}
    chosen = None
    for number, (train, test) in enumerate(_inputs(described, trial, rows)):
        drawn = Samples(train, domain.train.label[rows], np.ones(len(rows)))
        choice = shallow.choose_cost(key, drawn, **svm, costs=COSTS, folds=FOLDS)
        accuracy = float(np.asarray(choice.accuracy).max())
        if chosen is None or accuracy > chosen[0]:
            chosen = accuracy, number, float(choice.cost), drawn, test
    _, number, cost, drawn, test = chosen
    fitted = shallow.linear_path(**svm, costs=[cost])(drawn)
    predicted = np.asarray(shallow.linear_scores(fitted, test))[0].argmax(1)
    label = domain.test.label
    per_class = [(predicted[label == c] == c).mean() for c in np.unique(label)]
    row = {
        'accuracy': np.mean(per_class),
        'cost': cost,
        'converged': fitted.converged[0],
    }
    if trial['descriptor'] == 'weighted_kernels':
        weights = descriptor_kernels.weightings(len(described.kernels))[number]
        row['weights'] = dict(zip(described.kernels, weights.tolist(), strict=True))
    return row


def hog(train, test, config):
    """whole_descriptors.hog with the settings of a config."""
    return [whole_descriptors.hog(images, config.cell) for images in (train, test)]


def hsv(train, test, config):
    """whole_descriptors.hsv; it has no settings."""
    return [whole_descriptors.hsv(images) for images in (train, test)]


def bag_of_words(train, test, config, parts: tuple[int, ...] = (1,)):
    """local_descriptors.bag_of_words with the settings of a config."""
    return local_descriptors.bag_of_words(train, test, config.words, parts)


def fisher(train, test, config):
    """local_descriptors.fisher with the settings of a config."""
    return local_descriptors.fisher(train, test, config.components, config.dimension)


LOCAL = ('words', 'pyramid', 'fisher')  # these read local descriptors, others images
MAKERS = {
    'hog': hog,
    'words': bag_of_words,
    'pyramid': functools.partial(bag_of_words, parts=(1, 2, 4)),
    'fisher': fisher,
    'hsv': hsv,
}


def pictures(cell: int, described: Described) -> dict[str, 'Figure']:
    """Test images and their HOG."""
    images = described.domain.test.image
    images = images[:: max(1, len(images) // SHOWN)][:SHOWN]
    drawn = whole_descriptors.hog_pictures(images, cell)
    both = np.concatenate([images, drawn])
    title, names = 'Images and their HOG', [''] * len(both)
    return {'hog': image_grids.samples(both, names, title, len(images))}


def sweep() -> Iterator[Config]:
    """The default study."""
    yield Config()


def fast() -> Config:
    """A run of seconds on generated images."""
    return Config(
        domain='fake',
        size=32,
        examples=(3, 10),
        draws=2,
        cell=8,
        radii=(5,),
        words=16,
        components=4,
        dimension=8,
    )


def _kernel(name, train, test):
    """Histograms, or their square roots, by chi-square; Fisher vectors have signs."""
    if name in ('words', 'pyramid', 'hsv'):
        train, test = train**2, test**2
    return descriptor_kernels.exponential(train, test, histograms=name != 'fisher')


def _inputs(described, trial, rows):
    """Yields (drawn training images, test images), one for each choice of weights."""
    name, kernels = trial['descriptor'], list(described.kernels.values())
    if name not in COMBINED:
        yield described.train[name][rows], described.test[name]
    elif name == 'product_kernels':
        product = descriptor_kernels.product(kernels)
        yield descriptor_kernels.coordinates(product, rows)
    else:
        weightings = descriptor_kernels.weightings(len(kernels))
        for weights in weightings if name == 'weighted_kernels' else weightings[:1]:
            mean = descriptor_kernels.average(kernels, weights)
            yield descriptor_kernels.coordinates(mean, rows)


def _span(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in coordinates of the span of the n training images, (., n).

    The predictions of an L2-regularised SVM do not change; all descriptors then have
    one shape, and one compiled program serves them all.
    """
    n, d = train.shape
    if d <= n:
        pad = ((0, 0), (0, n - d))
        return np.pad(train, pad), np.pad(test, pad)
    basis, triangle = np.linalg.qr(np.float64(train).T)
    return triangle.T, test @ basis


if __name__ == '__main__':
    cli.main(Config, build)
