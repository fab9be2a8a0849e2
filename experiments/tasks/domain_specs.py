"""How a command line names a domain: NAME, folder:PATH, npz:PATH or tfds:NAME."""

import os
import pathlib

from transfer_jax import data


def short_name(spec: str) -> str:
    """The name, or the last part of the path: tables show no folder of a machine."""
    kind, _, rest = spec.partition(':')
    return os.path.basename(rest.rstrip('/')) if rest else kind


def existing_path(spec: str, kind: str) -> pathlib.Path | None:
    """The path of KIND:PATH; None for another kind, or if nothing is there."""
    prefix, _, rest = spec.partition(':')
    path = pathlib.Path(rest).expanduser()
    return path if prefix == kind and path.exists() else None


def count_folder_classes(path: pathlib.Path) -> int:
    """Number of classes of a folder, or of its train part; reads no image.

    Raises:
      ValueError: there are no images in it.
    """
    return len(data.folders.parts(path).train.classes)
