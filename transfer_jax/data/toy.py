"""Two domains in the plane, for pictures of what an adaptation does."""

import numpy as np

from transfer_jax.data.features import Features

CLASSES = ('class 1', 'class 2')

Pair = tuple[Features, Features]  # source, target


def rotation(seed: int, n: int, angle: float = 70.0) -> Pair:
    """Two Gaussian blobs; the target's are turned about the origin by `angle` degrees.

    Blobs at (-2, 0) and (2, 0), of deviations 0.5 and 1.
    """

    def draw(rng):
        label = np.arange(n) % 2
        centre = np.stack([4.0 * label - 2, np.zeros(n)], 1)
        return centre + rng.normal(size=(n, 2)) * (0.5, 1), label

    return _turned(draw, seed, angle)


def moons(seed: int, n: int, angle: float = 40.0, noise: float = 0.1) -> Pair:
    """Two half circles that reach into each other; the target's are turned together.

    Their radius is 1, their centres (-0.5, -0.25) and (0.5, 0.25), so that the turn by
    `angle` degrees is about the middle. `noise` is the deviation of the examples.
    """

    def draw(rng):
        label = np.arange(n) % 2
        sign = 1 - 2 * label
        turn = rng.uniform(0, np.pi, n)
        x = np.stack([np.cos(turn) - 0.5, np.sin(turn) - 0.25], 1) * sign[:, None]
        return x + rng.normal(0, noise, (n, 2)), label

    return _turned(draw, seed, angle)


def covariate_shift(seed: int, n: int) -> Pair:
    """One curved boundary for both domains, which look at different parts of it.

    A point is of class 2 where its second coordinate is above half the square of its
    first, whose mean is -0.5 in the source and 1.2 in the target.
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
