"""Image files that are decoded when they are read: sets larger than memory."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import numpy as np

from transfer_jax.data import images, sources


@dataclasses.dataclass(frozen=True)
class Files:
    """A source of image files; items keep the size of their file.

    A transform brings them to one size (transforms.zoom with `size`), and `threads` of
    streams.labelled decodes several at a time.
    """

    paths: tuple[pathlib.Path, ...]
    label: np.ndarray  # (n,) int32
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self.paths[index]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ValueError(f'{path}: {error.strerror}') from None
        image = images.decode(content, path, None)
        return {'image': image, 'label': int(self.label[index])}


def from_folder(path: str | os.PathLike, classes: Sequence[str] | None = None) -> Files:
    """Images kept as `<class>/<file>`, ordered by the SHA-256 digest of their bytes.

    Every file is read once for its digest, none is decoded. `classes` and errors as for
    sources.from_folder.
    """
    items, names = sources.files_by_class(path, classes)

    def digest(item):
        return hashlib.sha256(item[0].read_bytes()).hexdigest()

    with futures.ThreadPoolExecutor() as pool:
        digests = list(pool.map(digest, items))
    order = sorted(range(len(items)), key=digests.__getitem__)
    return Files(
        tuple(items[i][0] for i in order),
        np.array([items[i][1] for i in order], np.int32),
        names,
    )
