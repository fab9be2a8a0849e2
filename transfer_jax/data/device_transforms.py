"""Random transforms of images by JAX: within a compiled step, or on the host's CPU.

The same transform does the same to an image wherever it runs: draws are bits of
threefry, and the arithmetic is that of whole numbers. A key is that of (seed, position
in the stream), so an image changes differently in each epoch. Streams take these
transforms as they take those of data.transforms.

This is the only module of `data` that imports JAX.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Image = Any  # (h, w, c) uint8
Constants = Any  # a tree of arrays

_ANGLES_PER_DEGREE = 8
_SCALE = 14  # bits behind the binary point of sines


@dataclasses.dataclass(frozen=True)
class DeviceTransform:
    """f(key, image) -> image, with the arrays that it needs.

    Two transforms that differ in their arrays only have equal `apply`, and share a
    compiled program.
    """

    name: str
    apply: Callable[[Constants, jax.Array, Image], Image]
    constants: Constants = ()

    def on_host(self, seed: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """f(images (b, h, w, c), positions (b,)) -> images, on a CPU."""

        def call(image, position):
            with jax.default_device(_host()):
                made = _on_batch(
                    self.apply, self.constants, np.uint32(seed), image, position
                )
            return np.asarray(made)

        return call


def of_batch(apply: Callable, constants: Constants, seed, image, position):
    """The images (b, h, w, c) of a batch, transformed; traced.

    Args:
      seed: of the stream, uint32.
      position: (b,) of the images in the stream.
    """
    root = jax.random.key(seed, impl='threefry2x32')  # the same bits everywhere
    keys = jax.vmap(lambda at: jax.random.fold_in(root, at))(position)
    return jax.vmap(lambda key, one: apply(constants, key, one))(keys, image)


_on_batch = jax.jit(of_batch, static_argnums=0)


def _host() -> jax.Device:
    """A CPU of this process; where JAX may use none ($JAX_PLATFORMS), its device."""
    try:
        return jax.local_devices(backend='cpu')[0]
    except RuntimeError:
        return jax.local_devices()[0]


def chain(*transforms: DeviceTransform) -> DeviceTransform:
    """Applies transforms in order, each with a key of its own."""
    return DeviceTransform(
        'chain',
        _Chain(tuple(one.apply for one in transforms)),
        tuple(one.constants for one in transforms),
    )


def flip(probability: float = 0.5) -> DeviceTransform:
    """Mirrors left to right with the given probability."""
    return DeviceTransform('flip', _flip, np.float32(probability))


def invert(probability: float) -> DeviceTransform:
    """255 - image, with the given probability."""
    return DeviceTransform('invert', _invert, np.float32(probability))


def shift(pixels: int) -> DeviceTransform:
    """Shifts by up to `pixels` in each direction; zeros come in."""
    return DeviceTransform('shift', _With(_shift, pixels))


def rotate(degrees: float) -> DeviceTransform:
    """Rotates about the centre by up to `degrees` either way, in steps of 1/8 degree.

    Bilinear, with weights of seven bits; zeros come in.
    """
    steps = round(degrees * _ANGLES_PER_DEGREE)
    angle = np.radians(np.arange(-steps, steps + 1) / _ANGLES_PER_DEGREE)
    table = np.stack([np.cos(angle), np.sin(angle)], 1)
    return DeviceTransform(
        'rotate', _rotate, np.rint(table * 2**_SCALE).astype(np.int32)
    )


def blend(photos: Sequence[np.ndarray]) -> DeviceTransform:
    """|crop - image| per channel, with a random crop of a random photograph.

    The blending of MNIST-M, see data.transforms.blend. `photos` are (h, w, 3) uint8,
    each at least as large as an image.

    Raises:
      ValueError: there is no photograph; when traced, one is smaller than the images.
    """
    if not len(photos):
        raise ValueError('blend: give at least one photograph')
    sizes = np.array([photo.shape[:2] for photo in photos], np.int32)
    padded = np.zeros((len(photos), *sizes.max(0), 3), np.uint8)
    for room, photo in zip(padded, photos, strict=True):
        room[: photo.shape[0], : photo.shape[1]] = photo
    least = tuple(int(side) for side in sizes.min(0))
    return DeviceTransform('blend', _With(_blend, least), (padded, sizes))


@dataclasses.dataclass(frozen=True)
class _With:
    """function(value, ...); equal for equal fields, as functools.partial is not."""

    function: Callable
    value: Any

    def __call__(self, *arguments):
        return self.function(self.value, *arguments)


@dataclasses.dataclass(frozen=True)
class _Chain:
    applies: tuple[Callable, ...]

    def __call__(self, constants, key, image):
        keys = jax.random.split(key, len(self.applies))
        for apply, own, one in zip(self.applies, constants, keys, strict=True):
            image = apply(own, one, image)
        return image


def _flip(probability, key, image):
    return jnp.where(jax.random.uniform(key) < probability, image[:, ::-1], image)


def _invert(probability, key, image):
    return jnp.where(jax.random.uniform(key) < probability, 255 - image, image)


def _shift(pixels, constants, key, image):
    del constants
    room = jnp.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)))
    top, left = jax.random.randint(key, (2,), 0, 2 * pixels + 1)
    return jax.lax.dynamic_slice(room, (top, left, 0), image.shape)


def _rotate(table, key, image):
    height, width, _ = image.shape
    cos, sin = table[jax.random.randint(key, (), 0, len(table))]
    # Twice the offsets from the centre are whole numbers.
    down = 2 * jnp.arange(height)[:, None] - (height - 1)
    right = 2 * jnp.arange(width)[None] - (width - 1)
    one = _SCALE + 1  # bits behind the point of the sums below
    y = cos * down + sin * right + ((height - 1) << _SCALE)
    x = cos * right - sin * down + ((width - 1) << _SCALE)
    top, left = y >> one, x >> one
    low, far = ((v >> (one - 7)) & 127 for v in (y, x))  # fractions in 1/128

    def corner(row, column, weight):
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        found = image[row.clip(0, height - 1), column.clip(0, width - 1)]
        return jnp.where(inside, weight, 0)[..., None] * found.astype(jnp.int32)

    total = (
        corner(top, left, (128 - low) * (128 - far))
        + corner(top, left + 1, (128 - low) * far)
        + corner(top + 1, left, low * (128 - far))
        + corner(top + 1, left + 1, low * far)
    )
    return ((total + (1 << 13)) >> 14).astype(jnp.uint8)


def _blend(least, constants, key, image):
    photos, sizes = constants
    height, width, channels = image.shape
    if least[0] < height or least[1] < width:
        raise ValueError(
            f'blend: a photograph has a side of {least[0]} or {least[1]} pixels, and '
            f'the images are {height} x {width}: leave out smaller photographs'
        )
    which, *corner = jax.random.split(key, 3)
    number = jax.random.randint(which, (), 0, len(photos))
    free = sizes[number] - jnp.array([height, width]) + 1
    top, left = (
        jax.random.randint(k, (), 0, f) for k, f in zip(corner, free, strict=True)
    )
    start, size = (number, top, left, 0), (1, height, width, 3)
    crop = jax.lax.dynamic_slice(photos, start, size)[0]
    if channels == 1:
        image = jnp.repeat(image, 3, -1)
    return jnp.where(crop > image, crop - image, image - crop)
