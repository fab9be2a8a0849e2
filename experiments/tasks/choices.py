"""Names that a user chooses from."""

from collections.abc import Collection


def check(kind: str, name: str, known: Collection[str]) -> str:
    """Returns the name.

    Raises:
      ValueError: it is not one of `known`; the message lists them.
    """
    if name not in known:
        raise ValueError(f'no {kind} {name!r}; choose from {", ".join(known)}')
    return name
