"""Descriptors from a dense grid of local ones: words, pyramids and Fisher vectors.

Codebook, mixture and PCA are learned from the training images alone, without labels.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from experiments.transfer import whole_descriptors

LEARNED_FROM = 60_000  # local descriptors, drawn from those of all training images

Grids = Sequence[np.ndarray]  # of each image (g, g, r, d): a grid, r radii


def dense(images: Iterable[np.ndarray], step: int, radii: Sequence[int]) -> Grids:
    """Square roots of DAISY (g, g, r, 200) float32, all radii on the same grid.

    Args:
      images: grey, each (h, w) in [0, 1].
      step: of the grid, in pixels.
    """
    from skimage import feature

    def at(image, radius):
        margin = max(radii) - radius
        inside = image[margin : len(image) - margin, margin : len(image) - margin]
        daisy = feature.daisy(inside, step, radius, normalization='l1')
        return np.sqrt(daisy).astype(np.float32)

    return [np.stack([at(i, r) for r in radii], 2) for i in images]


def bag_of_words(
    train: Grids, test: Grids, words: int, parts: tuple[int, ...] = (1,)
) -> list[np.ndarray]:
    """Square roots of the shares of the visual words, rows of length 1.

    Args:
      words: in the codebook.
      parts: levels of the pyramid; level p cuts the image into p x p equal parts.
    """
    from sklearn import cluster

    codebook = cluster.MiniBatchKMeans(
        words, batch_size=4096, n_init=3, random_state=0
    ).fit(_sample(train))

    def shares(image):
        """Square roots of the shares of the words in each part of an image."""
        word = codebook.predict(image.reshape(-1, image.shape[-1]))
        word = word.reshape(image.shape[:-1])
        counts = [
            np.bincount(block.ravel(), minlength=words)
            for p in parts
            for band in np.array_split(word, p, axis=0)
            for block in np.array_split(band, p, axis=1)
        ]
        return np.sqrt(np.concatenate([c / max(c.sum(), 1) for c in counts]))

    return [
        whole_descriptors.unit(np.stack([*map(shares, part)])) for part in (train, test)
    ]


def fisher(
    train: Grids, test: Grids, components: int, dimension: int
) -> list[np.ndarray]:
    """2 k d + k gradients of the log-likelihood, rows of length 1.

    Args:
      components: k, of the Gaussian mixture.
      dimension: d, of the local descriptors after PCA.
    """
    from skimage import feature
    from sklearn import decomposition

    sample = _sample(train)
    pca = decomposition.PCA(dimension, random_state=0).fit(sample)
    mixture = feature.learn_gmm(
        pca.transform(sample),
        n_modes=components,
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

    return [
        whole_descriptors.unit(np.stack([*map(gradient, part)]))
        for part in (train, test)
    ]


def _sample(images: Grids) -> np.ndarray:
    """At most LEARNED_FROM of all local descriptors (m, d)."""
    local = np.concatenate([image.reshape(-1, image.shape[-1]) for image in images])
    rng = np.random.default_rng(0)
    return local[rng.permutation(len(local))[:LEARNED_FROM]]
