"""Classifies images with the trained model of a run folder; needs no training data.

    python -m experiments.predict RUN_DIR IMAGES_OR_FOLDER --out predictions.csv

Writes one line for each image, in the order of the files (those of a folder by name):
file, class, probability. The same in Python: transfer_jax.predict(run_dir, images).
"""

import csv
import dataclasses
import pathlib
import sys
from collections.abc import Iterator, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np
import tyro

from transfer_jax import runs
from transfer_jax.cli import allocator, compilation_cache, launch
from transfer_jax.data import images as decoding
from transfer_jax.data import sources
from transfer_jax.training import log

BATCH = 64


@dataclasses.dataclass(frozen=True)
class Command:
    """Classifies images with a trained model."""

    run_dir: tyro.conf.Positional[pathlib.Path]
    """The folder of a finished run."""
    images: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    """Image files, or folders of them."""
    out: pathlib.Path | None = None
    """The CSV file to write. Default: the terminal."""
    rule: str = ''
    """Which checkpoint: last, source_validation, fixed_validator. Default:
    fixed_validator where the run has one. No choice looks at target labels."""
    seed: int | None = None
    """Which seed of the run. Default: the first one."""
    all_classes: bool = False
    """Write the probability of every class."""
    debug: bool = False
    """Show the traceback of an error."""


class Prediction(NamedTuple):
    """The class of one image."""

    file: str
    label: str
    probability: float  # of that class
    probabilities: np.ndarray  # (classes,)


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    prog = launch.program(sys.modules['__main__'])
    command = tyro.cli(Command, prog=prog, description=__doc__, args=args)
    with launch.errors(command.debug):
        allocator.retain_freed()
        compilation_cache.enable()
        files = list_images(command.images)
        model = runs.load_model(command.run_dir, command.rule, command.seed)
        predictions = list(_classify(model, files))
        try:
            _write(command, model, predictions)
        except OSError as error:
            raise ValueError(f'cannot write {command.out}: {error.strerror}') from None
    if command.out is not None:
        log.console.print(
            f'{len(predictions)} images classified by the checkpoint of rule '
            f'{model.rule} (seed {model.seed}, step {model.step}): {command.out}',
            soft_wrap=True,
        )


def predict(
    run_dir: str | pathlib.Path,
    images: str | pathlib.Path | Sequence[str | pathlib.Path] | np.ndarray,
    *,
    rule: str = '',
    seed: int | None = None,
) -> list[Prediction]:
    """The classes of images, by the trained model of a run folder.

    Args:
      images: a file, a folder, several of them, or an array (n, h, w, 3) uint8 of any
        size.
      rule: which checkpoint, see runs.load_model.
      seed: by default the first one.

    Raises:
      ValueError: no trained model, no images, or a file that is no image.
    """
    model = runs.load_model(run_dir, rule, seed)
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
        return list(_classify(model, images))
    paths = [images] if isinstance(images, str | pathlib.Path) else images
    if not all(isinstance(path, str | pathlib.Path) for path in paths):
        raise ValueError('images must be paths, or one array (n, h, w, 3) uint8')
    return list(_classify(model, list_images([pathlib.Path(path) for path in paths])))


def list_images(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """The files, and those below the folders by name, in the order of `paths`.

    Raises:
      ValueError: a path does not exist, or a folder has no images.
    """
    files: list[pathlib.Path] = []
    for path in paths:
        if path.is_dir():
            inside = sources.image_files(path)
            if not inside:
                endings = ', '.join(sources.SUFFIXES)
                raise ValueError(f'{path} holds no images: no file ends in {endings}')
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise ValueError(f'{path}: there is no such file or folder')
    if not files:
        raise ValueError('give image files, or a folder of them')
    return files


def _classify(
    model: runs.Model, items: Sequence[pathlib.Path] | np.ndarray
) -> Iterator[Prediction]:
    """One prediction for each file, or row of an array, in their order."""
    progress = log.Progress('images', len(items))
    try:
        with futures.ThreadPoolExecutor() as pool:
            for start in range(0, len(items), BATCH):
                part = items[start : start + BATCH]
                inputs = np.stack(list(pool.map(_reader(model.inputs), part)))
                # A short batch is padded, so that one program serves all.
                padding = [(0, BATCH - len(part)), *[(0, 0)] * 3]
                rows = model.probabilities(np.pad(inputs, padding))
                for i, row in enumerate(np.asarray(rows)[: len(part)]):
                    best = int(row.argmax())
                    name = model.classes[best] if model.classes else str(best)
                    of_file = isinstance(part[i], pathlib.Path)
                    file = str(part[i]) if of_file else str(start + i)
                    yield Prediction(file, name, float(row[best]), row)
                progress.update(start + len(part), {})
    finally:
        progress.close()


def _reader(inputs: runs.Inputs):
    """f(file or (h, w, 3) uint8) -> (h, w, c) uint8 of the model's size."""
    side = inputs.size[0]

    def read(item):
        if isinstance(item, pathlib.Path):
            item = decoding.decode(item.read_bytes(), item, side, inputs.zoom)
        return decoding.conform(item[None], side, inputs.channels)[0]

    return read


def _write(command: Command, model: runs.Model, predictions) -> None:
    classes = model.classes if command.all_classes else ()
    head = ['file', 'class', 'probability', *classes]
    file = sys.stdout if command.out is None else open(command.out, 'w', newline='')
    try:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(head)
        for one in predictions:
            every = [f'{p:.6f}' for p in one.probabilities] if classes else []
            writer.writerow([one.file, one.label, f'{one.probability:.6f}', *every])
    finally:
        if file is not sys.stdout:
            file.close()
