"""Every closed-form method between the small sets of MNIST and USPS digits.

Published, 1-NN without adaptation (Long et al., ICCV 2013): MNIST -> USPS 65.94,
USPS -> MNIST 44.70; both come out to the digit. Lines of papers stand in the table.

    python -m experiments.shallow.digits
    python -m experiments.shallow.digits --config.choose
    python -m experiments.table shallow_digits

M is 2,000 digits of MNIST, U 1,800 of USPS, 16x16 pixels, each image of length 1. All
source images are used, and the test is on the target images, which the fit saw without
labels. Settings and --config.choose as in experiments.shallow.office_caltech.
"""

import dataclasses
from collections.abc import Iterator

from experiments.shallow import office_caltech, recipes
from transfer_jax import cli, runs

PAIRS = ('M-U', 'U-M')


@dataclasses.dataclass(frozen=True)
class Config:
    """Closed-form methods on digits."""

    protocol: str = 'full'
    """full."""
    draws: int = 1
    choose: bool = False
    """Let validators choose the setting of each method."""
    methods: tuple[str, ...] = ()
    """Names in experiments/shallow/recipes.py; none: all."""
    pairs: tuple[str, ...] = ()
    """M-U, U-M; none: both."""


def build(config: Config) -> runs.Study:
    """The study of a config."""
    if config.protocol != 'full' or config.draws != 1:
        raise ValueError('the digits have protocol full and 1 draw alone')
    return office_caltech.table_of(
        config,
        name='shallow.digits',
        task='MNIST and USPS, 16x16',
        methods=config.methods or recipes.DIGITS,
        on=config.pairs or PAIRS,
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """With the papers' settings, then with a choice."""
    yield Config()
    yield Config(choose=True)


def fast() -> Config:
    """A run of seconds on generated features."""
    return Config(choose=True, methods=('subspace_alignment',), pairs=('fake',))


if __name__ == '__main__':
    cli.main(Config, build)
