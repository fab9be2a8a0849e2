"""Sizes and channels of images (n, h, w, c) uint8."""

import io
import os

import numpy as np


def decode(content: bytes, name: str | os.PathLike, size: int | None) -> np.ndarray:
    """Decodes the bytes of an image file to RGB (h, w, 3), resized to `size` if given.

    Raises ValueError naming the file when it is damaged or no image.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as file:
            image = ImageOps.exif_transpose(file).convert('RGB')
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f'{name}: not a readable image ({error})') from None
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def conform(image: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Images (n, size, size, channels) from images (n, h, w, c)."""
    return as_channels(resize(image, size), channels)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Bilinear resizing to (n, size, size, c); Pillow's, which averages to shrink."""
    if image.shape[1:3] == (size, size):
        return image
    from PIL import Image

    n, _, _, c = image.shape
    resized = np.empty((n, size, size, c), np.uint8)
    for i in range(n):
        picture = Image.fromarray(image[i, ..., 0] if c == 1 else image[i])
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        resized[i] = np.asarray(picture).reshape(size, size, c)
    return resized


def as_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Grey replicated to 3 channels, or RGB reduced to its luminance (ITU-R 601)."""
    if image.shape[-1] == channels:
        return image
    if (image.shape[-1], channels) == (1, 3):
        return np.repeat(image, 3, axis=-1)
    if (image.shape[-1], channels) == (3, 1):
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        return np.rint(image @ weights)[..., None].astype(np.uint8)
    raise ValueError(f'channels must be 1 or 3: {image.shape[-1]} to {channels}')


def pad(image: np.ndarray, margin: int) -> np.ndarray:
    """A border of `margin` zeros on each side."""
    return np.pad(image, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
