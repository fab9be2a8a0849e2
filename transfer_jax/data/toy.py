"""Two-dimensional domains, for figures of adaptation methods."""

import numpy as np

from transfer_jax.data.features import Features

CLASSES = ('class 1', 'class 2')

Pair = tuple[Features, Features]  # source, target


def rotation(seed: int, n: int, angle: float = 70.0) -> Pair:
    """Two Gaussian blobs; the target is rotated about the origin by `angle` degrees.

    Blobs are at (-2, 0) and (2, 0), with standard deviations 0.5 and 1 along the axes.
    """

    def draw(rng):
        label = np.arange(n) % 2
        centre = np.stack([4.0 * label - 2, np.zeros(n)], 1)
        return centre + rng.normal(size=(n, 2)) * (0.5, 1), label

    return _turned(draw, seed, angle)


def moons(seed: int, n: int, angle: float = 40.0, noise: float = 0.1) -> Pair:
    """Two interleaving half circles; the target is rotated by `angle` degrees.

    Their radius is 1 and their centres are (-0.5, -0.25) and (0.5, 0.25), so that the
    rotation is about their midpoint. `noise` is the standard deviation of the examples.
    """

    def draw(rng):
        label = np.arange(n) % 2
        sign = 1 - 2 * label
        turn = rng.uniform(0, np.pi, n)
        x = np.stack([np.cos(turn) - 0.5, np.sin(turn) - 0.25], 1) * sign[:, None]
        return x + rng.normal(0, noise, (n, 2)), label

    return _turned(draw, seed, angle)


def covariate_shift(seed: int, n: int) -> Pair:
    """One curved class boundary, of which the domains cover different parts.

    A point is of class 2 if its second coordinate exceeds half the square of its first.
    The mean of the first is -0.5 in the source and 1.2 in the target.
    """

    def draw(rng, mean, deviation):
        first = rng.normal(mean, deviation, n)
        x = np.stack([first, 0.5 * first**2 + rng.normal(0, 0.6, n)], 1)
        return _features(x, x[:, 1] > 0.5 * first**2)

    return (
        draw(np.random.default_rng([seed, 0]), -0.5, 0.9),
        draw(np.random.default_rng([seed, 1]), 1.2, 0.4),
    )


def _turned(draw, seed, angle) -> Pair:
    sine, cosine = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
    source, label = draw(np.random.default_rng([seed, 0]))
    target, target_label = draw(np.random.default_rng([seed, 1]))
    turned = target @ np.array([[cosine, sine], [-sine, cosine]])
    return _features(source, label), _features(turned, target_label)


def _features(x, label) -> Features:
    return Features(x.astype(np.float32), label.astype(np.int32), CLASSES)
