"""How a command line names a domain: NAME, folder:PATH, npz:PATH or tfds:NAME."""

import difflib
import os
import pathlib

from transfer_jax import data
from transfer_jax.data import own


def short_name(spec: str) -> str:
    """The name, or the last part of the path: tables show no folder of a machine."""
    kind, _, rest = spec.removeprefix('lazy:').partition(':')
    return os.path.basename(rest.rstrip('/')) if rest else kind


def check(spec: str) -> str:
    """Returns the spec; reads nothing.

    Raises:
      ValueError: it is none; the message lists the named domains.
    """
    kind, _, rest = spec.partition(':')
    if spec not in data.domains.NAMED and not (kind in own.KINDS and rest):
        near = difflib.get_close_matches(spec, data.domains.NAMED, n=1)
        raise ValueError(
            f'no domain {spec!r}'
            + (f' (did you mean {near[0]}?)' if near else '')
            + f'; choose from {", ".join(data.domains.NAMED)}, folder:PATH, npz:PATH, '
            'tfds:NAME'
        )
    return spec


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
