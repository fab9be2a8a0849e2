"""Refuses images and labels that would be trained on silently and wrongly."""

import numpy as np

CHANNELS = (1, 3)
LARGEST = np.iinfo(np.int32).max  # batches hold labels as int32


def check_images(image: np.ndarray) -> None:
    """Images must be (n, h, w, c) uint8, c 1 or 3.

    Raises:
      ValueError: another rank, type or number of channels, with what to do.
    """
    if not (hasattr(image, 'ndim') and hasattr(image, 'dtype')):
        raise ValueError(
            f'images must be a NumPy array (n, h, w, c), not a {type(image).__name__}: '
            'np.stack(images)'
        )
    shape = tuple(image.shape)
    form = f'images must be (n, h, w, c) uint8, not {shape} {image.dtype}'
    if image.ndim == 3:
        raise ValueError(f'{form}: add an axis of channels, image[..., None]')
    if image.ndim != 4:
        raise ValueError(form)
    if shape[-1] not in CHANNELS:
        raise ValueError(f'{form}: c is 1 or 3' + _other_channels(shape))
    check_type(image, form)


def check_type(image: np.ndarray, form: str) -> None:
    """Pixels must be uint8 in 0..255; `form` begins the message of the ValueError."""
    if image.dtype == np.uint8:
        return
    if np.issubdtype(image.dtype, np.floating):
        raise ValueError(
            f'{form}: for numbers in [0, 1] give '
            'np.rint(255 * image).astype(np.uint8); data.normalise scales them later'
        )
    if image.dtype == bool:
        raise ValueError(f'{form}: give 255 * image.astype(np.uint8)')
    raise ValueError(f'{form}: for numbers in 0..255 give image.astype(np.uint8)')


def check_labels(label: np.ndarray, n: int, classes: int = 0) -> None:
    """Labels must be (n,) whole numbers from 0, below `classes` if that is not 0.

    Raises:
      ValueError: another shape or type, or a label out of range, with what to do.
    """
    if not (hasattr(label, 'shape') and hasattr(label, 'dtype')):
        raise ValueError(
            f'labels must be a NumPy array ({n},), not a {type(label).__name__}: '
            'np.asarray(label)'
        )
    check_label_type(label)
    if tuple(label.shape) != (n,):
        raise ValueError(
            f'{n} images need labels of shape ({n},), not {tuple(label.shape)}'
            + _other_shape(tuple(label.shape), n)
        )
    if n == 0:
        return
    lowest, highest = int(label.min()), int(label.max())
    if lowest < 0:
        raise ValueError(
            f'labels are whole numbers from 0, but label {int(np.argmin(label))} is '
            f'{lowest}: leave out rows without a label; images without any are '
            'data.Images(image)'
        )
    most = classes - 1 if classes else LARGEST
    if highest > most:
        counted = f' for its {classes} classes' if classes else ''
        raise ValueError(
            f'labels must be 0..{most}{counted}, but label {int(np.argmax(label))} is '
            f'{highest}'
        )


def check_label_type(label: np.ndarray) -> None:
    """Labels must have a type of whole numbers; ValueError says what to do."""
    kind = np.dtype(label.dtype).kind
    if kind in 'iu':
        return
    form = f'labels must be whole numbers, not {label.dtype}'
    if kind in 'USO':
        raise ValueError(
            f'{form}: number them, '
            'classes, label = np.unique(names, return_inverse=True)'
        )
    if kind == 'f' and np.isnan(label).any():
        raise ValueError(
            f'{form} with NaN: leave out rows without a label; images without any are '
            'data.Images(image)'
        )
    raise ValueError(f'{form}: give label.astype(np.int32) if none is lost')


def _other_channels(shape):
    """The remedy for (n, c, h, w) and for images with transparency."""
    if shape[1] in CHANNELS:
        return '; for (n, c, h, w) give image.transpose(0, 2, 3, 1)'
    visible = {2: 1, 4: 3}.get(shape[-1])  # grey or RGB before the transparency
    return f'; leave out transparency, image[..., :{visible}]' if visible else ''


def _other_shape(shape, n):
    """The remedy for labels (n, 1) and one-hot labels (n, c)."""
    if len(shape) != 2 or shape[0] != n:
        return ''
    return ': give label[:, 0]' if shape[1] == 1 else ': give label.argmax(1)'
