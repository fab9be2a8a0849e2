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

Local descriptors are square roots of DAISY (Tola et al., TPAMI 2010) on a dense grid at
two radii. DAISY has SIFT's histograms on a circle; scikit-image's SIFT has no dense
grid. Codebook, mixture and PCA are learned from all training images, without labels.
Then n training images of each class are drawn; 3-fold cross-validation on them chooses
the SVM's cost. The test images are always the same. Draws, SVM and costs are those of
experiments.transfer.probing.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from experiments.tasks import choices
from transfer_jax import cli, data, runs, shallow
from transfer_jax.data import features
from transfer_jax.reports import image_grids
from transfer_jax.training import log
from transfer_jax.types import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNED_FROM = 60_000  # local descriptors, drawn from those of all training images
COSTS = (0.1, 1.0, 10.0, 100.0)  # of the SVM, for rows of length 1
FOLDS = 3
SHOWN = 8  # images in the report


@dataclasses.dataclass(frozen=True)
class Config:
    """Descriptors of whole images, then a linear SVM."""

    domain: str = 'caltech101'
    """Any domain of experiments.data."""
    size: int = 128
    """Side of the images, in pixels."""
    descriptors: tuple[str, ...] = ('hog', 'words', 'pyramid', 'fisher')
    """Some of hog, words, pyramid, fisher."""
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
    """Both parts of a domain, {descriptor: (n, r) coordinates of unit vectors}."""

    domain: data.Domain
    train: Mapping[str, np.ndarray]
    test: Mapping[str, np.ndarray]


def build(config: Config) -> runs.Study:
    """The study of a config."""
    for name in config.descriptors:
        choices.check('descriptor', name, MAKERS)
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
    train, test = map(_grey, (domain.train.image, domain.test.image))
    described, local = Described(domain, {}, {}), None
    for name in config.descriptors:
        if name != 'hog' and local is None:
            local = [_dense(part, config) for part in (train, test)]
            log.console.print(f'local descriptors: {local[0][0].shape} an image')
        inputs = (train, test) if name == 'hog' else local
        vectors = MAKERS[name](*inputs, config)
        described.train[name], described.test[name] = _span(*vectors)
        log.console.print(f'{name}: {vectors[0].shape[1]:,} numbers')
    return described


def measure(described: Described, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Mean accuracy per class of an SVM on n drawn training images of each class."""
    train, test = (part[trial['descriptor']] for part in described[1:])
    domain, key = described.domain, jax.random.key(trial['seed'])
    rows = features.draw_per_class(domain.train.label, trial['n'], trial['seed'])
    drawn = Samples(train[rows], domain.train.label[rows], np.ones(len(rows)))
    svm = {'kind': 'svm', 'classes': len(domain.classes)}
    choice = shallow.choose_cost(key, drawn, **svm, costs=COSTS, folds=FOLDS)
    fitted = shallow.linear_path(**svm, costs=[float(choice.cost)])(drawn)
    predicted = np.asarray(shallow.linear_scores(fitted, test))[0].argmax(1)
    label = domain.test.label
    per_class = [(predicted[label == c] == c).mean() for c in np.unique(label)]
    return {
        'accuracy': np.mean(per_class),
        'cost': choice.cost,
        'converged': fitted.converged[0],
    }


def hog(train: np.ndarray, test: np.ndarray, config: Config) -> list[np.ndarray]:
    """Grey images (n, h, w) to blocks of histograms (n, d)."""
    return [_unit(np.stack([_hog(x, config.cell) for x in xs])) for xs in (train, test)]


def bag_of_words(
    train: Sequence[np.ndarray],
    test: Sequence[np.ndarray],
    config: Config,
    parts: tuple[int, ...] = (1,),
) -> list[np.ndarray]:
    """Local descriptors (g, g, r, d) of each image to shares of words.

    Args:
      parts: levels of the pyramid; level p cuts the image into p x p equal parts.
    """
    from sklearn import cluster

    codebook = cluster.MiniBatchKMeans(
        config.words, batch_size=4096, n_init=3, random_state=0
    ).fit(_sample(train))

    def shares(image):
        """Square roots of the shares of the words in each part of an image."""
        word = codebook.predict(image.reshape(-1, image.shape[-1]))
        word = word.reshape(image.shape[:-1])
        counts = [
            np.bincount(block.ravel(), minlength=config.words)
            for p in parts
            for band in np.array_split(word, p, axis=0)
            for block in np.array_split(band, p, axis=1)
        ]
        return np.sqrt(np.concatenate([c / max(c.sum(), 1) for c in counts]))

    return [_unit(np.stack([*map(shares, part)])) for part in (train, test)]


def fisher(
    train: Sequence[np.ndarray], test: Sequence[np.ndarray], config: Config
) -> list[np.ndarray]:
    """Local descriptors (g, g, r, d) of each image to 2 k d' + k gradients."""
    from skimage import feature
    from sklearn import decomposition

    sample = _sample(train)
    pca = decomposition.PCA(config.dimension, random_state=0).fit(sample)
    mixture = feature.learn_gmm(
        pca.transform(sample),
        n_modes=config.components,
        gm_args={
            'covariance_type': 'diag',
            'random_state': 0,
            'tol': 0.01,
            'max_iter': 200,
        },
    )

    def gradient(image):
        local = pca.transform(image.reshape(-1, image.shape[-1]))
        return feature.fisher_vector(local, mixture, improved=True)

    return [_unit(np.stack([*map(gradient, part)])) for part in (train, test)]


MAKERS = {
    'hog': hog,
    'words': bag_of_words,
    'pyramid': functools.partial(bag_of_words, parts=(1, 2, 4)),
    'fisher': fisher,
}


def pictures(cell: int, described: Described) -> dict[str, 'Figure']:
    """Test images and their HOG."""
    images = described.domain.test.image
    images = images[:: max(1, len(images) // SHOWN)][:SHOWN]
    drawn = np.stack([_hog(grey, cell, visualize=True)[1] for grey in _grey(images)])
    drawn = np.rint(255 * (drawn / drawn.max()) ** 0.5).astype(np.uint8)
    both = np.concatenate([images, np.repeat(drawn[..., None], 3, -1)])
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


def _grey(images: np.ndarray) -> np.ndarray:
    """(n, h, w, 3) uint8 to (n, h, w) in [0, 1]."""
    from skimage import color

    return color.rgb2gray(images)


def _hog(image, cell, **options):
    from skimage import feature

    side = (cell, cell)
    return feature.hog(image, 9, side, (2, 2), block_norm='L2-Hys', **options)


def _dense(images: Iterable[np.ndarray], config: Config) -> list[np.ndarray]:
    """Square roots of DAISY (g, g, r, 200) float32, all radii on the same grid."""
    from skimage import feature

    def at(image, radius):
        margin = max(config.radii) - radius
        inside = image[margin : len(image) - margin, margin : len(image) - margin]
        daisy = feature.daisy(inside, config.step, radius, normalization='l1')
        return np.sqrt(daisy).astype(np.float32)

    return [np.stack([at(i, r) for r in config.radii], 2) for i in images]


def _sample(images: Sequence[np.ndarray]) -> np.ndarray:
    """At most LEARNED_FROM of all local descriptors (m, d)."""
    local = np.concatenate([image.reshape(-1, image.shape[-1]) for image in images])
    rng = np.random.default_rng(0)
    return local[rng.permutation(len(local))[:LEARNED_FROM]]


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


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


if __name__ == '__main__':
    cli.main(Config, build)
