"""No adaptation: the baseline of every table of closed-form methods."""

from typing import NamedTuple

from transfer_jax.shallow.shallow import Shallow, unchanged


class Nothing(NamedTuple):
    """No parameters."""


def none() -> Shallow:
    """Features as they are."""

    def fit(key, source, target):
        del key, source, target
        return Nothing()

    return Shallow(fit, unchanged, unchanged)
