"""Sizes and channels of images (n, h, w, c) uint8."""

import contextlib
import io
import os
import struct
import threading

import numpy as np

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # of RGB, ITU-R 601
LARGE = 4096  # a JPEG with a longer side is decoded at a fraction of its size

# Formats that Pillow reads by another program, or not at all without a plugin.
_EXTERNAL = ('BUFR', 'EPS', 'GRIB', 'HDF5', 'MPEG', 'WMF')
_LARGE_LOCK = threading.RLock()  # of all threads, one has a large image in memory


class TooLarge(ValueError):
    """An image has more pixels than Pillow's limit against decompression bombs."""


def suffixes() -> frozenset[str]:
    """The endings of image files that Pillow can read, as '.jpg'."""
    from PIL import Image

    return frozenset(
        ending
        for ending, name in Image.registered_extensions().items()
        if name in Image.OPEN and name not in _EXTERNAL
    )


def decode(
    content: bytes,
    name: str | os.PathLike,
    size: int | None,
    zoom: float | None = None,
    *,
    large_images: bool = False,
) -> np.ndarray:
    """Decodes the bytes of an image file to RGB (h, w, 3), resized to `size` if given.

    Grey, palette and CMYK images become RGB; 16 bits become 8. A JPEG with a side of
    more than LARGE pixels is decoded at 1/2, 1/4 or 1/8 of its size, at least twice as
    large as needed: it takes little memory, and its pixels differ slightly from those
    of a whole image that is resized. Smaller images are decoded whole.

    Args:
      zoom: by default the image is stretched to a square. A number scales the shorter
        side to zoom * size and crops the central square.
      large_images: also decodes images above Pillow's limit, 2 * MAX_IMAGE_PIXELS.
        TIFF and WebP have it within Pillow: while one of these is decoded, the limit is
        off for the whole process.

    Raises:
      ValueError: the file is damaged or not an image; the message names it.
      TooLarge: it has more pixels than the limit.
    """
    from PIL.Image import DecompressionBombError

    short = None if size is None else round((zoom or 1) * size)
    try:
        try:
            image = _decoded(content, short, large_images)
        except DecompressionBombError as error:  # the limit within a format
            if not large_images:
                raise TooLarge(error) from None
            with _without_limit():
                image = _decoded(content, short, large_images)
    except TooLarge as error:
        raise TooLarge(f'{name}: {error}') from None
    except Exception as error:  # a damaged file may raise anything in Pillow
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise ValueError(f'{name}: not a readable image ({reason})') from None
    return np.asarray(image if size is None else _fitted(image, size, zoom))


def fit(image: np.ndarray, size: int, zoom: float | None = None) -> np.ndarray:
    """One image (h, w, c) to (size, size, c), as `decode` makes it from its file."""
    from PIL import Image

    channels = image.shape[-1]
    picture = Image.fromarray(image[..., 0] if channels == 1 else image)
    return np.asarray(_fitted(picture, size, zoom)).reshape(size, size, channels)


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


def _decoded(content, short, large_images):
    """The image upright and in RGB; `short` is the side that is needed, or None."""
    from PIL import Image, ImageOps

    with _opened(content) as file:
        whole = file.size
        progressive = file.info.get('progressive')
        if file.format in ('JPEG', 'MPO') and short and max(whole) > LARGE:
            file.draft(None, (2 * short, 2 * short))
        # The coefficients of a progressive JPEG are all in memory at once.
        width, height = whole if progressive else file.size
        limit = Image.MAX_IMAGE_PIXELS
        if limit and width * height > 2 * limit and not large_images:
            raise TooLarge(
                f'{whole[0]} x {whole[1]} pixels are more than the {2 * limit:,} that '
                'are read'
            )
        alone = _LARGE_LOCK if width * height > LARGE**2 else contextlib.nullcontext()
        with alone:
            return _rgb(ImageOps.exif_transpose(file))


@contextlib.contextmanager
def _without_limit():
    from PIL import Image

    with _LARGE_LOCK:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _opened(content):
    """The file with its header read, as Image.open does without its limit of size.

    That limit is global to Pillow, for all threads; here each call has its own.
    """
    from PIL import Image

    refused, tried = [], set(_EXTERNAL)
    for load in (Image.preinit, Image.init):  # the common formats, then all
        load()
        for name in [name for name in Image.ID if name not in tried]:
            tried.add(name)
            factory, accept = Image.OPEN[name]
            try:
                answer = accept(content[:16]) if accept else True
                if isinstance(answer, str):  # a format that this build does not read
                    refused.append(answer)
                elif answer:
                    return factory(io.BytesIO(content), '')
            except (SyntaxError, IndexError, TypeError, struct.error):
                continue  # of another format, as far as Pillow can tell
    if not content:
        raise ValueError('the file is empty')
    raise ValueError('; '.join(refused) or 'of no format that Pillow reads')


def _fitted(image, size, zoom):
    if zoom is None:
        return _resized(image, (size, size))
    short = round(zoom * size)
    if min(image.size) != short:
        scale = short / min(image.size)
        image = _resized(image, [max(short, round(s * scale)) for s in image.size])
    left, top = ((side - size) // 2 for side in image.size)
    return image.crop((left, top, left + size, top + size))


def _resized(image, size):
    from PIL import Image

    same = image.size == tuple(size)
    return image if same else image.resize(size, Image.Resampling.BILINEAR)


def _rgb(image):
    """Converts a picture of any mode to RGB with 8 bits."""
    from PIL import Image

    if image.mode.startswith('I'):  # Pillow would clip 16-bit values
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray((deep.clip(0, 65535) // 257).astype(np.uint8))
    elif image.mode == 'F':
        raise ValueError('its pixels are floating-point numbers; save it with 8 bits')
    return image.convert('RGB')
