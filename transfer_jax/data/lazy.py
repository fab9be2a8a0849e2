"""Image files decoded on access, for data sets larger than memory.

No experiment uses this module; `benchmarks.input_pipeline` measures it.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import numpy as np

from transfer_jax.data import checks, folders, image_files, images, listings


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """A source of image files; each item has the size of its file.

    A transform must bring them to one size (transforms.zoom with `size`). With
    `threads`, streams.labelled decodes several at a time.
    """

    paths: tuple[pathlib.Path, ...]
    label: np.ndarray  # (n,) int32
    classes: tuple[str, ...] = ()

    def __post_init__(self):
        checks.check_labels(self.label, len(self.paths), len(self.classes))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self.paths[index]
        image = images.decode(image_files.read_bytes(path), path, None)
        return {'image': image, 'label': int(self.label[index])}


def from_folder(
    path: str | os.PathLike, classes: Sequence[str] | None = None
) -> ImageFiles:
    """Images stored as `<class>/<file>`, ordered by the SHA-256 digest of their bytes.

    Every file is read once for its digest; none is decoded. `classes` and errors are
    those of folders.files_by_class.
    """
    items, names, left_out = folders.files_by_class(path, classes)
    listings.warn(path, left_out)

    def digest(item):
        return hashlib.sha256(image_files.read_bytes(item[0])).hexdigest()

    with futures.ThreadPoolExecutor() as pool:
        digests = list(pool.map(digest, items))
    order = sorted(range(len(items)), key=digests.__getitem__)
    return ImageFiles(
        tuple(items[i][0] for i in order),
        np.array([items[i][1] for i in order], np.int32),
        names,
    )
