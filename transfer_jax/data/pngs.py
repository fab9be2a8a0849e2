"""Label maps in PNG files: 8 bits, palettes, and the 16 bits of several channels."""

import os

import numpy as np

# What Pillow keeps of 16 bits of several channels is the high byte. Read under these
# raw modes, the same file gives the low byte of each, or all bytes in turn.
_LOW = {'RGB;16B': 'RGB;16L', 'RGBA;16B': 'RGBA;16L', 'LA;16B': 'RGBA'}


def read_ids(path: str | os.PathLike) -> np.ndarray:
    """(h, w) uint8 or uint16: the ids of a file, not the colours of its palette.

    Of several channels of 16 bits it is the first, whose ids are below 256, as in
    SYNTHIA: the second holds the number of an object.

    Raises:
      ValueError: no such file, not a readable PNG, or channels of 8 bits, which are
        colours; the message names the file.
    """
    from PIL import Image

    try:
        with Image.open(path) as file:
            low = None
            if file.format == 'PNG' and file.tile:
                low = _LOW.get(file.tile[0][3])
            if low is not None:
                file.tile = [(*file.tile[0][:3], low)]
                return np.array(file)[..., 1 if low == 'RGBA' else 0]
            mode, ids = file.mode, np.array(file)
    except FileNotFoundError:
        raise ValueError(f'{path}: is missing') from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f'{path}: not a readable image ({error})') from None
    if ids.ndim != 2 or ids.dtype.kind not in 'bui':
        raise ValueError(f'{path}: a mask of mode {mode}, not of classes')
    return ids.astype(np.uint8) if ids.dtype == bool else ids
