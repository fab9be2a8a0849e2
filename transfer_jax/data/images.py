"""Sizes and channels of images (n, h, w, c) uint8."""

import io
import os

import numpy as np

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # of RGB, ITU-R 601


def decode(
    content: bytes,
    name: str | os.PathLike,
    size: int | None,
    zoom: float | None = None,
) -> np.ndarray:
    """Decodes the bytes of an image file to RGB (h, w, 3), resized to `size` if given.

    Grey, palette and CMYK images become RGB; 16 bits become 8.

    Args:
      zoom: by default the image is stretched to a square. A number scales the shorter
        side to zoom * size and crops the central square.

    Raises:
      ValueError: the file is damaged or not an image; the message names it.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as file:
            image = _rgb(ImageOps.exif_transpose(file))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f'{name}: not a readable image ({error})') from None
    if size is None:
        return np.asarray(image)
    bilinear = Image.Resampling.BILINEAR
    if zoom is None:
        if image.size != (size, size):
            image = image.resize((size, size), bilinear)
        return np.asarray(image)
    short = round(zoom * size)
    if min(image.size) != short:
        scale = short / min(image.size)
        image = image.resize(
            [max(short, round(s * scale)) for s in image.size], bilinear
        )
    left, top = ((side - size) // 2 for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def conform(image: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Images (n, size, size, channels) from images (n, h, w, c)."""
    return convert_channels(resize(image, size), channels)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Pillow's bilinear resizing to (n, size, size, c); it averages when shrinking."""
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


def convert_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Replicates grey to 3 channels, or reduces RGB to its luminance (ITU-R 601)."""
    if image.shape[-1] == channels:
        return image
    if (image.shape[-1], channels) == (1, 3):
        return np.repeat(image, 3, axis=-1)
    if (image.shape[-1], channels) == (3, 1):
        return np.rint(image @ LUMINANCE)[..., None].astype(np.uint8)
    raise ValueError(f'channels must be 1 or 3: {image.shape[-1]} to {channels}')


def pad(image: np.ndarray, margin: int) -> np.ndarray:
    """Adds a border of `margin` zeros on each side."""
    return np.pad(image, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def _rgb(image):
    """Converts a picture of any mode to RGB with 8 bits."""
    from PIL import Image

    if image.mode.startswith('I'):  # Pillow would clip 16-bit values
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray((deep.clip(0, 65535) // 257).astype(np.uint8))
    elif image.mode == 'F':
        raise ValueError('its pixels are floating-point numbers; save it with 8 bits')
    return image.convert('RGB')
