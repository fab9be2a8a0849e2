"""Classifies images with the trained model of a run folder; needs no training data.

    python -m experiments.predict RUN_DIR IMAGES_OR_FOLDER --out predictions.csv

Writes one line for each image, in the order of the files (those of a folder by name):
file, class, probability, entropy of the class probabilities in nats. A model's own
folder, such as a copy of RUN_DIR/models/seed_0/last, may take the place of RUN_DIR. The
same in Python: transfer_jax.load(run_dir).predict(images).
"""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

import tyro

from transfer_jax.cli import classifier, launch
from transfer_jax.training import log


@dataclasses.dataclass(frozen=True)
class Command:
    """Classifies images with a trained model."""

    run_dir: tyro.conf.Positional[pathlib.Path]
    """The folder of a finished run, or of one model."""
    images: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    """Image files, or folders of them."""
    out: pathlib.Path | None = None
    """The CSV file to write. Default: the terminal."""
    rule: str = ''
    """Which model: last, source_validation, fixed_validator. Default: fixed_validator
    where the run has one. No choice looks at target labels."""
    seed: int | None = None
    """Which seed of the run. Default: the first one."""
    all_classes: bool = False
    """Write the probability of every class."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    with launch.command(Command, __doc__, args) as command:
        files = classifier.list_images(command.images)
        loaded = classifier.load(command.run_dir, command.rule, command.seed)
        predictions = loaded.predict(files)
        try:
            _write(command, loaded.classes, predictions)
        except OSError as error:
            raise ValueError(f'cannot write {command.out}: {error.strerror}') from None
    if command.out is not None:
        model = loaded.model
        log.console.print(
            f'{len(predictions)} images classified by the model of rule {model.rule} '
            f'(seed {model.seed}, step {model.step}): {command.out}',
            soft_wrap=True,
        )


def predict(
    run_dir: str | pathlib.Path,
    images: classifier.Images,
    *,
    rule: str = '',
    seed: int | None = None,
) -> list[classifier.Prediction]:
    """The classes of images, by the trained model of a run folder.

    Args:
      run_dir: of a run, or of one model.
      images: see classifier.Classifier.predict.
      rule: which model, see runs.load_model.
      seed: by default the first one.

    Raises:
      ValueError: no trained model, no images, or a file that is no image.
    """
    return classifier.load(run_dir, rule, seed).predict(images)


def _write(command: Command, names: Sequence[str], predictions) -> None:
    classes = tuple(names) if command.all_classes else ()
    file = sys.stdout if command.out is None else open(command.out, 'w', newline='')
    try:
        classifier.write_csv(file, predictions, classes)
    finally:
        if file is not sys.stdout:
            file.close()
