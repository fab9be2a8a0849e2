"""Image files decoded into one array, in parallel; damaged ones are named together."""

import collections
import hashlib
import os
import pathlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from transfer_jax.data import images, listings
from transfer_jax.data.sources import Arrays, Images

CHUNK = 16  # files of one task of a thread
# A few more than there are processors: some wait for the disk.
THREADS = min(16, (os.cpu_count() or 1) + 4)

Path = str | os.PathLike
Files = Sequence[Path]


class Decoded(NamedTuple):
    """Images (m, h, w, 3) uint8, and the number of the file of each, (m,)."""

    image: np.ndarray
    rows: np.ndarray


def from_files(
    items: Sequence[tuple[pathlib.Path, int]],
    classes: tuple[str, ...],
    path: Path,
    *,
    size: int | None = None,
    zoom: float | None = None,
    skip_unreadable: bool = False,
    large_images: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Arrays:
    """Reads (file, label) pairs, ordered by the SHA-256 digest of their bytes.

    `path` is for messages; the other arguments and the errors are decode_all's.
    """
    decoded = decode_all(
        [file for file, _ in items],
        path,
        size=size,
        zoom=zoom,
        by_digest=True,
        skip_unreadable=skip_unreadable,
        large_images=large_images,
        progress=progress,
    )
    label = np.array([items[i][1] for i in decoded.rows], np.int32)
    return Arrays(decoded.image, label, classes)


def images_from_files(
    files: Files,
    *,
    size: int | None = None,
    zoom: float | None = None,
    skip_unreadable: bool = False,
    large_images: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Images:
    """Reads images without labels, in the order of the files.

    With `skip_unreadable` there may be fewer images than files; decode_all gives the
    numbers of those that are read. The other arguments and the errors are its own.
    """
    decoded = decode_all(
        files,
        '',
        size=size,
        zoom=zoom,
        skip_unreadable=skip_unreadable,
        large_images=large_images,
        progress=progress,
    )
    return Images(decoded.image)


def decode_all(
    files: Files,
    path: Path,
    *,
    size: int | None = None,
    zoom: float | None = None,
    by_digest: bool = False,
    skip_unreadable: bool = False,
    large_images: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Decoded:
    """Decodes files to RGB, each read once, with one array in memory.

    Args:
      path: the folder of the files, for messages; '' for none.
      size: side of the images; without it, all must have one size.
      zoom: as in images.decode.
      by_digest: orders images by the SHA-256 digest of their files, not as `files`.
      skip_unreadable: leaves out files that cannot be read or are too large, and
        warns of their number and names.
      large_images: also reads images above Pillow's limit of pixels.
      progress: is called with the number of files read so far.

    Raises:
      ValueError: no files, images of several sizes, or files that cannot be read; the
        message names all of these, up to listings.NAMES.
    """
    files = [pathlib.Path(file) for file in files]
    if not files:
        raise ValueError(f'{_where(path)}no files are given')

    def read(i):
        """(digest, image) of a file."""
        content = read_bytes(files[i], path)
        image = images.decode(
            content, _short(files[i], path), size, zoom, large_images=large_images
        )
        return hashlib.sha256(content).digest() if by_digest else b'', image

    image, digests, failures = _read_all(read, len(files), path, size, progress)
    if failures:
        message = _message([failures[i] for i in sorted(failures)], len(files), path)
        if not skip_unreadable or len(failures) == len(files):
            raise ValueError(f'{message}; {_remedy(failures.values())}')
        warnings.warn(f'left out of {message}', stacklevel=3)
    rows = [i for i in range(len(files)) if i not in failures]
    if by_digest:
        rows.sort(key=digests.__getitem__)
    return Decoded(_take_in_place(image, rows), np.array(rows))


def read_bytes(file: pathlib.Path, path: Path = '') -> bytes:
    """The bytes of a file, which messages name as below `path`.

    Raises:
      ValueError: a folder, a broken link, no such file, or no permission.
    """
    if file.is_file():  # to read a pipe would never end
        try:
            return file.read_bytes()
        except OSError as error:
            reason = error.strerror
    elif file.is_dir():
        reason = 'is a folder'
    elif file.is_symlink():
        reason = 'is a broken link'
    else:
        reason = 'is no file' if file.exists() else 'there is no such file'
    raise ValueError(f'{_short(file, path)}: {reason}')


def duplicates(
    files: Files, others: Files | None = None
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Pairs of files with the same bytes: one of each argument, or both of `files`.

    A file is paired with the first such file of `others`, or with the first of `files`.
    Only files whose length occurs again are read; one that cannot be read has no pair.
    """
    first = _lengths(files)
    second = first if others is None else _lengths(others)
    counts = collections.Counter(second.values())
    least = 2 if others is None else 1
    first_digests = _digests(p for p, n in first.items() if counts[n] >= least)
    if others is None:
        second_digests = first_digests
    else:
        lengths = set(first.values())
        second_digests = _digests(p for p, n in second.items() if n in lengths)
    seen: dict[bytes, pathlib.Path] = {}
    for path, digest in second_digests.items():
        seen.setdefault(digest, path)
    pairs = [(p, seen[d]) for p, d in first_digests.items() if d in seen]
    if others is None:  # the first comes first, and is no duplicate of itself
        return [(one, path) for path, one in pairs if one != path]
    return pairs


def _read_all(read, n, path, size, progress):
    """(images (n, h, w, 3), digests, {number: error}) of `read` over range(n)."""
    failures: dict[int, ValueError] = {}
    digests = [b''] * n
    shape = (size, size, 3) if size else _first_shape(read, n)
    image = np.empty((n, *shape), np.uint8)
    shapes = {shape}

    def fill(rows):
        for i in rows:
            try:
                digests[i], one = read(i)
            except ValueError as error:
                failures[i] = error
                continue
            shapes.add(one.shape)
            if one.shape == shape:
                image[i] = one
        return len(rows)

    done = 0
    with futures.ThreadPoolExecutor(THREADS) as pool:
        for count in pool.map(fill, _chunks(n)):
            done += count
            if progress:
                progress(done)
    if len(shapes) > 1:
        sizes = listings.few(f'{w} x {h}' for h, w, _ in sorted(shapes))
        raise ValueError(f'{_where(path)}images of several sizes ({sizes}); pass size')
    return image, digests, failures


def _first_shape(read, n):
    """Of the first image that can be read."""
    for i in range(n):
        try:
            return read(i)[1].shape
        except ValueError:
            continue
    return 0, 0, 3


def _chunks(n):
    return [range(n)[start : start + CHUNK] for start in range(0, n, CHUNK)]


def _take_in_place(image, rows):
    """The rows (m,) of an array, each at most once, without a second array."""
    n = len(image)
    taken = set(rows)
    order = [*rows, *(i for i in range(n) if i not in taken)]
    done = np.zeros(n, bool)
    for start in range(n):
        if done[start] or order[start] == start:
            continue
        first, to = image[start].copy(), start
        while order[to] != start:  # around a cycle of the permutation
            image[to] = image[order[to]]
            done[to] = True
            to = order[to]
        image[to] = first
        done[to] = True
    return image[: len(rows)]


def _lengths(files: Files) -> dict[pathlib.Path, int]:
    paths = [pathlib.Path(file) for file in files]
    return {path: path.stat().st_size for path in paths if path.is_file()}


def _digests(files: Iterable[pathlib.Path]) -> dict[pathlib.Path, bytes]:
    def digest(path):
        try:
            with open(path, 'rb') as file:
                return hashlib.file_digest(file, 'sha256').digest()
        except OSError:
            return b''

    files = list(files)
    with futures.ThreadPoolExecutor(THREADS) as pool:
        known = zip(files, pool.map(digest, files), strict=True)
        return {path: value for path, value in known if value}


def _short(file, path):
    """The name of a file below `path`, for messages."""
    if path and file.is_relative_to(path):
        return file.relative_to(path).as_posix()
    return str(file)


def _message(errors, n, path):
    """'PATH: 2 of 50 files cannot be read: a.png: ...; b.jpg: ...'."""
    shown = [str(error) for error in errors[: listings.NAMES]]
    if len(errors) > len(shown):
        shown.append(f'and {len(errors) - len(shown)} more')
    return (
        f'{_where(path)}{len(errors)} of {n} files cannot be read: {"; ".join(shown)}'
    )


def _where(path):
    return f'{path}: ' if path else ''


def _remedy(errors):
    large = [isinstance(error, images.TooLarge) for error in errors]
    texts = ['repair or remove them'] * (not all(large))
    texts += [
        'read large ones with large_images=True (--large-images of experiments.adapt)'
    ] * any(large)
    return (
        f'{", ".join(texts)}, or leave them out with skip_unreadable=True '
        '(--skip-unreadable of experiments.adapt)'
    )
