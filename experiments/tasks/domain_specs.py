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
    """Number of class folders in it, or in its `train`; reads no image."""
    root = path / 'train' if (path / 'train').is_dir() else path
    return sum(data.sources.is_class(entry) for entry in root.iterdir())
