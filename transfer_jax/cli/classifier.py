"""A trained model that takes files: `transfer_jax.load`.

model = transfer_jax.load('runs/x')
model.predict(['a.jpg', 'b.jpg'])
"""

import csv
import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import NamedTuple, TextIO

import numpy as np

from transfer_jax import runs
from transfer_jax.data import folders, image_files, listings
from transfer_jax.data import images as decoding
from transfer_jax.training import log

BATCH = 64

# Files and folders, or an array (n, h, w, 3) or (n, h, w, 1) uint8 of any size
Images = str | pathlib.Path | Sequence[str | pathlib.Path] | np.ndarray


class Prediction(NamedTuple):
    """The class of one image."""

    file: str
    label: str
    probability: float  # of that class
    probabilities: np.ndarray  # (classes,)

    @property
    def entropy(self) -> float:
        """-sum p log p over the classes, in nats: 0 is certain, log(classes) is not."""
        p = self.probabilities[self.probabilities > 0].astype(np.float64)
        return float(-np.sum(p * np.log(p)) + 0.0)


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained model, with its way from a file to its input."""

    model: runs.Model

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names; empty where the data had none."""
        return self.model.classes

    def predict(self, images: Images) -> list[Prediction]:
        """One prediction for each image, in their order.

        Args:
          images: a file, a folder, several of them, or an array (n, h, w, 3) uint8 of
            any size.

        Raises:
          ValueError: no images, or a file that is no image.
        """
        items = _items(images)
        array = isinstance(items, np.ndarray)
        names = map(str, range(len(items)) if array else items)
        rows = _rows(self.model, self.model.probabilities, items)
        return [
            prediction(name, self.classes, row)
            for name, row in zip(names, rows, strict=True)
        ]

    def probabilities(self, images: Images) -> np.ndarray:
        """Class probabilities (n, classes) of images, as `predict` takes them."""
        rows = _rows(self.model, self.model.probabilities, _items(images))
        return np.stack(list(rows))

    def transform(self, images: Images) -> np.ndarray:
        """The encoder's features (n, d) of images, as `predict` takes them.

        Raises:
          ValueError: as `predict`; or the method of the model has no features.
        """
        return np.stack(list(_rows(self.model, self.model.features, _items(images))))


def prediction(
    name: str, classes: Sequence[str], probabilities: np.ndarray
) -> Prediction:
    """The prediction for an image: its most probable class.

    Args:
      classes: their names; empty for their numbers.
      probabilities: (classes,).
    """
    best = int(probabilities.argmax())
    label = classes[best] if classes else str(best)
    return Prediction(name, label, float(probabilities[best]), probabilities)


def write_csv(
    file: TextIO, predictions: Iterable[Prediction], classes: Sequence[str] = ()
) -> None:
    """Writes file, class, probability and entropy (nats), one line for each image.

    Args:
      classes: whose probabilities are further columns.
    """
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(['file', 'class', 'probability', 'entropy', *classes])
    for one in predictions:
        numbers = [one.probability, one.entropy]
        numbers += list(one.probabilities) if classes else []
        writer.writerow([one.file, one.label, *(f'{x:.6f}' for x in numbers)])


def load(
    path: str | pathlib.Path, rule: str = '', seed: int | None = None
) -> Classifier:
    """The trained model of a run folder, or of a model's own folder.

    Args:
      rule: which model of a run, see runs.load_model.
      seed: by default the first one.

    Raises:
      ValueError: the folder holds no trained model, or no such rule or seed.
    """
    return Classifier(runs.load_model(path, rule, seed))


def list_images(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """The files, and those below the folders by name, in the order of `paths`.

    Raises:
      ValueError: a path does not exist, or a folder has no images.
    """
    files: list[pathlib.Path] = []
    for path in paths:
        if path.is_dir():
            listing = folders.unlabelled(path)
            listings.warn(path, listing.left_out)
            files += listing.files
        elif path.exists():
            files.append(path)
        else:
            raise ValueError(f'{path}: there is no such file or folder')
    if not files:
        raise ValueError('give image files, or a folder of them')
    return files


def _items(images: Images) -> list[pathlib.Path] | np.ndarray:
    """The files, or the array."""
    if isinstance(images, np.ndarray):
        if (
            images.dtype != np.uint8
            or images.ndim != 4
            or images.shape[-1] not in (1, 3)
        ):
            raise ValueError(
                'images must be (n, h, w, 3) or (n, h, w, 1) uint8, not '
                f'{images.shape} {images.dtype}'
            )
        if not len(images):
            raise ValueError('images must be one image or more, not none')
        return images
    paths = [images] if isinstance(images, str | pathlib.Path) else images
    if not all(isinstance(path, str | pathlib.Path) for path in paths):
        raise ValueError('images must be paths, or one array (n, h, w, 3) uint8')
    return list_images([pathlib.Path(path) for path in paths])


def _rows(
    model: runs.Model,
    function: Callable,
    items: Sequence[pathlib.Path] | np.ndarray,
) -> Iterator[np.ndarray]:
    """The output of a function of images (n, h, w, c) for each file, or array row."""
    progress = log.Progress('images', len(items))
    try:
        with futures.ThreadPoolExecutor() as pool:
            for start in range(0, len(items), BATCH):
                part = items[start : start + BATCH]
                inputs = np.stack(list(pool.map(_reader(model.inputs), part)))
                # A short batch is padded, so that one program serves all.
                padding = [(0, BATCH - len(part)), *[(0, 0)] * 3]
                rows = np.asarray(function(np.pad(inputs, padding)))
                yield from rows[: len(part)]
                progress.update(start + len(part), {})
    finally:
        progress.close()


def _reader(inputs: runs.Inputs):
    """f(file or (h, w, 3) uint8) -> (h, w, c) uint8 of the model's size."""
    side = inputs.size[0]

    def read(item):
        if isinstance(item, pathlib.Path):
            item = decoding.decode(
                image_files.read_bytes(item), item, side, inputs.zoom
            )
        return decoding.conform(item[None], side, inputs.channels)[0]

    return read
