"""CamVid, driving scenes with the class of each pixel (Brostow et al., PRL 2009).

The version with the 11 classes of SegNet (Badrinarayanan et al., TPAMI 2017): folders
train and test hold the frames, trainannot and testannot a PNG of class ids for each.
"""

import os
import pathlib

import numpy as np

from transfer_jax.data import files, images

CLASSES = (
    *('Sky', 'Building', 'Pole', 'Road', 'Pavement', 'Tree', 'SignSymbol', 'Fence'),
    *('Car', 'Pedestrian', 'Bicyclist'),
)
COLOURS = np.array(
    [
        *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128)),
        *((60, 40, 222), (128, 128, 0), (192, 128, 128), (64, 64, 128)),
        *((64, 0, 128), (64, 64, 0), (0, 128, 192)),
    ],
    np.uint8,
)
UNLABELLED = 11  # in the files
VOID = 255

Part = tuple[np.ndarray, np.ndarray]


def load(
    data_dir: str | os.PathLike | None = None, scale: float = 0.5
) -> dict[str, Part]:
    """{'train', 'test'}: frames (n, h, w, 3) uint8 and labels (n, h, w) uint8.

    Frames are in the order of their names and are resized by `scale`, bilinearly
    (Pillow's, which averages); labels are resized to the nearest pixel. The label 255
    is a pixel without a class.

    Raises:
      MissingData: CamVid is not in the data folder.
      ValueError: a frame without labels, labels and frame of different sizes, a frame
        and the first frame of different sizes, or an id that is no class.
    """
    if not 0 < scale <= 1:
        raise ValueError(f'scale {scale}: must be above 0 and at most 1')
    root = files.locate('camvid', files.data_dirs(data_dir))[0].parents[1]
    return {part: _part(root, part, scale) for part in ('train', 'test')}


def _part(root: pathlib.Path, part: str, scale: float) -> Part:
    from PIL import Image

    frames, labels, first = [], [], None
    for path in sorted((root / part).iterdir()):
        if path.suffix.lower() not in _SUFFIXES:
            continue
        frame = images.decode(path.read_bytes(), path, None)
        first = frame.shape if first is None else first
        if frame.shape != first:
            raise ValueError(
                f'{path}: a frame {frame.shape[:2]}, the first is {first[:2]}'
            )
        label = _label(root / f'{part}annot' / f'{path.stem}.png', frame.shape[:2])
        size = [max(1, round(side * scale)) for side in (first[1], first[0])]
        for array, resampling, resized in (
            (frame, Image.Resampling.BILINEAR, frames),
            (label, Image.Resampling.NEAREST, labels),
        ):
            picture = Image.fromarray(array).resize(size, resampling)
            resized.append(np.asarray(picture))
    if not frames:
        raise ValueError(f'{root / part}: holds no frames ({", ".join(_SUFFIXES)})')
    return np.stack(frames), np.stack(labels)


def _label(path: pathlib.Path, size: tuple[int, int]) -> np.ndarray:
    """(h, w) uint8 of class ids, VOID where there is none."""
    from PIL import Image

    if not path.is_file():
        raise ValueError(f'{path}: is missing')
    try:
        with Image.open(path) as file:
            label = np.array(file)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f'{path}: not a readable image ({error})') from None
    if label.shape != size:
        raise ValueError(f'{path}: labels {label.shape} for a frame {size}')
    label = np.where(label == UNLABELLED, VOID, label)
    wrong = label[(label >= len(CLASSES)) & (label != VOID)]
    if wrong.size:
        raise ValueError(
            f'{path}: the value {wrong[0]} is no class; classes are '
            f'0..{len(CLASSES) - 1}, and {UNLABELLED} or {VOID} means none'
        )
    return label.astype(np.uint8)


_SUFFIXES = ('.jpg', '.jpeg', '.png')
