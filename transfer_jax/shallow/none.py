"""No adaptation: the baseline in every table of shallow methods."""

from typing import NamedTuple

from transfer_jax.shallow.shallow import Shallow, unchanged


class Nothing(NamedTuple):
    """No parameters."""


def none() -> Shallow:
    """Leaves the features of both domains unchanged."""

    def fit(key, source, target):
        del key, source, target
        return Nothing()

    return Shallow(fit, unchanged, unchanged)
