"""A tiny generated domain for tests, with visible classes and a visible shift."""

import numpy as np

from transfer_jax.data.sources import Arrays, Domain

TRAIN, TEST, CLASSES = 256, 64, 4


def fake_domain(
    seed: int, n: int, size: int, classes: int = CLASSES, shift: float = 0.0
) -> Domain:
    """`n` training and n / 4 test images (size, size, 3) of a blob on a background.

    The class is the position of the blob on a circle. `shift` in [0, 1] shifts the
    domain: the background from dark to bright blue, and the blob from white to red.
    """
    rng = np.random.default_rng([seed, n, size, classes])
    total = n + max(1, n // 4)
    label = rng.integers(classes, size=total).astype(np.int32)
    angle = 2 * np.pi * label / classes + rng.normal(0, 0.1, total)
    radius = 0.28 + rng.normal(0, 0.02, total)
    grid = (np.arange(size) + 0.5) / size
    y = grid[None, :, None] - (0.5 + radius * np.sin(angle))[:, None, None]
    x = grid[None, None, :] - (0.5 + radius * np.cos(angle))[:, None, None]
    blob = np.exp(-(x**2 + y**2) / (2 * 0.1**2))[..., None]
    colour = np.array([255, 255 - 155 * shift, 255 - 215 * shift])
    ground = np.array([20, 20 + 80 * shift, 20 + 180 * shift])
    image = ground + blob * (colour - ground)
    image += rng.normal(0, 10, (total, size, size, 1))
    image = np.rint(image).clip(0, 255).astype(np.uint8)
    names = tuple(str(number) for number in range(classes))
    name = 'fake_shifted' if shift else 'fake'
    arrays = Arrays(image, label, names)
    return Domain(
        name, names, arrays.take(np.arange(n)), arrays.take(np.arange(n, total))
    )


def fake(size: int) -> Domain:
    """The domain `fake`."""
    return fake_domain(0, TRAIN, size)


def fake_shifted(size: int) -> Domain:
    """The domain `fake_shifted`: different images, shifted."""
    return fake_domain(1, TRAIN, size, shift=1.0)
