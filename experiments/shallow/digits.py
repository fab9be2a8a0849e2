"""Every shallow method between the small sets of MNIST and USPS digits.

Published, 1-NN without adaptation (Long et al., ICCV 2013): MNIST -> USPS 65.94,
USPS -> MNIST 44.70; both are reproduced to the digit. The table also has the published
lines of other methods.

    python -m experiments.shallow.digits
    python -m experiments.shallow.digits --config.choose
    python -m experiments.table shallow_digits

M is 2,000 digits of MNIST, U 1,800 of USPS, 16x16 pixels, each image of length 1. All
source images are used. The test is on the target images, which the fit saw without
labels. Settings and --config.choose are as in experiments.shallow.office_caltech.
"""

import dataclasses
from collections.abc import Iterator

from experiments.shallow import office_caltech, recipes
from transfer_jax import cli, runs

PAIRS = ('M-U', 'U-M')


@dataclasses.dataclass(frozen=True)
class Config:
    """Shallow methods on digits."""

    protocol: str = 'full'
    """Only full."""
    draws: int = 1
    """Only 1: all source images are used."""
    choose: bool = False
    """Let validators choose the setting of each method."""
    methods: tuple[str, ...] = ()
    """Names in experiments/shallow/recipes.py; by default those of the table."""
    pairs: tuple[str, ...] = ()
    """M-U, U-M; by default both."""


def build(config: Config) -> runs.Study:
    """The study of a config."""
    if config.protocol != 'full' or config.draws != 1:
        raise ValueError('the digits have only protocol full and 1 draw')
    return office_caltech.table_of(
        config,
        name='shallow.digits',
        task='MNIST and USPS, 16x16',
        methods=config.methods or recipes.DIGITS,
        pair_names=config.pairs or PAIRS,
        fast=config == fast(),
    )


def sweep() -> Iterator[Config]:
    """With the papers' settings, then with chosen ones."""
    yield Config()
    yield Config(choose=True)


def fast() -> Config:
    """A run of seconds on generated features."""
    return Config(choose=True, methods=('subspace_alignment',), pairs=('fake',))


if __name__ == '__main__':
    cli.main(Config, build)
