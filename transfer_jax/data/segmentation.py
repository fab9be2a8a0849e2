"""Images with the class of each pixel, decoded on access; sets as published.

`load` gives a source that `data.labelled` streams, with the transforms of
`pixel_transforms` and with threads:

    source = data.segmentation.load('cityscapes', 'train', data_dir)
    crop = data.pixel_transforms.scale_and_crop(512, 1024)
    stream = data.labelled(source, batch_size=2, seed=0, transform=crop, threads=8)
"""

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np

from transfer_jax.data import (
    files,
    image_files,
    images,
    label_ids,
    listings,
    pngs,
    voc_files,
)

VOID = label_ids.VOID


@dataclasses.dataclass(frozen=True, eq=False)
class Segmented:
    """A source {'image': (h, w, 3) uint8, 'label': (h, w) uint8}, each its own size.

    An item raises ValueError, with the name of the file, if one of the two files cannot
    be read, their sizes differ, or the mask holds an id that `ids` does not list.
    """

    images: tuple[pathlib.Path, ...]
    masks: tuple[pathlib.Path, ...]
    classes: tuple[str, ...]  # label i means classes[i]
    ids: Mapping[int, int]  # of the files -> label; `void` for pixels without a class
    void: int = VOID

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, label = self.load_image(index), self.load_label(index)
        if image.shape[:2] != label.shape:
            raise ValueError(
                f'{self.masks[index]}: a mask {label.shape} for an image '
                f'{image.shape[:2]}'
            )
        return {'image': image, 'label': label}

    def load_image(self, index: int) -> np.ndarray:
        """(h, w, 3) uint8."""
        path = self.images[index]
        return images.decode(image_files.read_bytes(path), path, None)

    def load_label(self, index: int) -> np.ndarray:
        """(h, w) uint8, `void` where there is no class."""
        path = self.masks[index]
        raw = pngs.read_ids(path)
        table = np.full(max(int(raw.max(initial=0)), *self.ids) + 1, -1, np.int16)
        table[list(self.ids)] = list(self.ids.values())
        label = table[raw]
        if (label < 0).any():
            unknown = listings.few(map(str, np.unique(raw[label < 0]).tolist()))
            known = ', '.join(map(str, sorted(self.ids)))
            raise ValueError(
                f'{path}: the ids {unknown} are unknown; known are {known}'
            )
        return label.astype(np.uint8)

    def take(self, rows: Sequence[int]) -> 'Segmented':
        """The pairs at `rows` (m,), in that order."""
        parts = {
            name: tuple(getattr(self, name)[i] for i in rows)
            for name in ('images', 'masks')
        }
        return dataclasses.replace(self, **parts)

    def frames(self) -> 'Frames':
        """The images alone: an unlabelled stream of them reads no mask."""
        return Frames(self.images)


@dataclasses.dataclass(frozen=True, eq=False)
class Frames:
    """A source {'image': (h, w, 3) uint8} of image files, each its own size."""

    images: tuple[pathlib.Path, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self.images[index]
        return {'image': images.decode(image_files.read_bytes(path), path, None)}


def load(
    name: str,
    split: str,
    data_dir: str | os.PathLike | None = None,
    *,
    classes: int | None = None,
    lenient: bool = False,
) -> Segmented:
    """A published set and split.

    | name | splits | classes |
    | voc2012 | train, val, trainval, trainaug | 21, with the background |
    | cityscapes | train, val | 19, or 16 or 13 of them |
    | gta5 | train: all frames | 19, or 16 or 13 of them |
    | synthia | train: all frames | 16, or 13 of them |

    trainaug is the list of 10,582 images with the masks of SBD (Hariharan et al., ICCV
    2011) as PNG files: ImageSets/Segmentation/trainaug.txt and SegmentationClassAug,
    which later code shares; VOC does not publish it. A pixel of a class
    that is left out is `void`.

    Args:
      classes: how many, by default the first number of the table. Sets with equally
        many have the same classes in the same order, those of ADVENT (Vu et al., CVPR
        2019) and AdaptSegNet (Tsai et al., CVPR 2018).
      lenient: leaves out pairs whose sizes differ, and warns of them.

    Raises:
      MissingData: the set is not in the data folder.
      ValueError: an unknown name, split or number of classes, with the choices; a list
        without a file; images without a mask; or pairs whose sizes differ.
    """
    if name not in SETS:
        raise ValueError(f'{name}: no such set; choose from {", ".join(SETS)}')
    data_set = SETS[name]
    files.check_split(name, data_set.splits, split)
    usual, *_ = data_set.labels
    labels = data_set.labels.get(usual if classes is None else classes)
    if labels is None:
        numbers = ', '.join(map(str, data_set.labels))
        raise ValueError(f'{name}: not with {classes} classes; choose from {numbers}')
    found = files.locate(data_set.known, files.data_dirs(data_dir))
    pairs = data_set.pairs(found[0], split)
    _check_present(name, split, pairs)
    photos, masks = zip(*pairs, strict=True)
    source = Segmented(photos, masks, labels.classes, labels.ids)
    wrong = mismatched(source)
    if not wrong:
        return source
    listed = listings.few(str(source.images[i]) for i in wrong)
    text = f'{name}: {len(wrong)} images whose mask has another size: {listed}'
    if not lenient:
        raise ValueError(f'{text}; lenient=True leaves them out')
    warnings.warn(f'left out of {text}', stacklevel=2)
    return source.take(sorted(set(range(len(source))) - set(wrong)))


def mismatched(source: Segmented) -> list[int]:
    """The rows whose image and mask differ in size; only the headers are read."""

    def differs(i):
        return voc_files.size(source.images[i]) != voc_files.size(source.masks[i])

    with futures.ThreadPoolExecutor(image_files.THREADS) as pool:
        differ = list(pool.map(differs, range(len(source))))
    return [i for i, wrong in enumerate(differ) if wrong]


def multi_hot(source: Segmented) -> np.ndarray:
    """(n, c) int32: 1 where the mask has a pixel of the class, else 0.

    The labels of images for segmentation from such labels alone; all masks are read.
    """

    def row(i):
        counts = np.bincount(source.load_label(i).ravel(), minlength=source.void + 1)
        return counts[: len(source.classes)] > 0

    with futures.ThreadPoolExecutor(image_files.THREADS) as pool:
        rows = list(pool.map(row, range(len(source))))
    return np.array(rows, np.int32).reshape(-1, len(source.classes))


Pairs = list[tuple[pathlib.Path, pathlib.Path]]


class _Set(NamedTuple):
    known: str  # in files.KNOWN
    splits: tuple[str, ...]
    labels: Mapping[int, label_ids.Labels]  # by the number of classes
    pairs: Callable[[pathlib.Path, str], Pairs]  # of its first image, and a split


def _voc(first: pathlib.Path, split: str) -> Pairs:
    """A line of a list is a name, or the path of an image and that of its mask."""
    root = first.parents[1]
    path = root / 'ImageSets' / 'Segmentation' / f'{split}.txt'
    if not path.is_file():
        raise ValueError(f'{path}: is missing')
    lines = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    names = sorted({pathlib.PurePosixPath(line).stem for line in lines})
    masks = root / f'SegmentationClass{"Aug" * (split == "trainaug")}'
    return [(root / f'JPEGImages/{n}.jpg', masks / f'{n}.png') for n in names]


def _cityscapes(first: pathlib.Path, split: str) -> Pairs:
    root, end = first.parents[3], '_leftImg8bit.png'
    return [
        (
            path,
            root
            / 'gtFine'
            / split
            / path.parent.name
            / f'{path.name.removesuffix(end)}_gtFine_labelIds.png',
        )
        for path in sorted((root / 'leftImg8bit' / split).glob(f'*/*{end}'))
    ]


def _side_by_side(masks: str) -> Callable[[pathlib.Path, str], Pairs]:
    """Masks in another folder, under the names of the images."""

    def pairs(first, split):
        del split  # there is one
        folder = first.parents[1] / masks
        return [(p, folder / p.name) for p in sorted(first.parent.glob('*.png'))]

    return pairs


def _check_present(name: str, split: str, pairs: Pairs) -> None:
    if not pairs:
        raise ValueError(f'{name}: its split {split} has no images')
    for kind, paths in zip(('image', 'mask'), zip(*pairs, strict=True), strict=True):
        lost = _absent(paths)
        if lost:
            raise ValueError(
                f'{name}: {len(lost)} of {len(paths)} images of {split} have no file '
                f'of the {kind}: {listings.few(map(str, lost))}'
            )


def _absent(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Those that are no files; each folder is listed once."""
    folders = {path.parent for path in paths}
    present = {
        folder: {entry.name for entry in os.scandir(folder)}
        for folder in folders
        if folder.is_dir()
    }
    return [p for p in paths if p.name not in present.get(p.parent, ())]


SETS = {
    'voc2012': _Set(
        'voc2012_segmentation',
        ('train', 'val', 'trainval', 'trainaug'),
        label_ids.VOC2012,
        _voc,
    ),
    'cityscapes': _Set(
        'cityscapes', ('train', 'val'), label_ids.CITYSCAPES_BY_NUMBER, _cityscapes
    ),
    'gta5': _Set('gta5', ('train',), label_ids.GTA5, _side_by_side('labels')),
    'synthia': _Set(
        'synthia', ('train',), label_ids.SYNTHIA, _side_by_side('GT/LABELS')
    ),
}
