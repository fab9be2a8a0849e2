"""What is known of a data set on disk."""

from typing import NamedTuple


class DataSet(NamedTuple):
    """A data set on disk, in any one of `layouts`: tuples of paths or patterns."""

    name: str
    description: str
    origin: str
    layouts: tuple[tuple[str, ...], ...]
    # What FOLDER of `prepare NAME --from FOLDER` must hold; '' for a set that is
    # downloaded or generated.
    unpacked: str = ''
    as_published: bool = False  # read as published: nothing to prepare
