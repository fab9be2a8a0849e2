"""Every closed-form method on Office-Caltech10, from SURF words.

Published lines stand in the table under ours (experiments/shallow/published.py says
where they come from); the 12 values without adaptation come out to the digit, C-A 23.70
to D-W 63.39 (Long et al., ICCV 2013).

    python -m experiments.shallow.office_caltech
    python -m experiments.shallow.office_caltech --config.protocol oc20 \
        --config.draws 20
    python -m experiments.shallow.office_caltech --config.protocol semi \
        --config.draws 3
    python -m experiments.shallow.office_caltech --config.choose
    python -m experiments.table office_caltech

Domains: C Caltech10, A Amazon, W Webcam, D DSLR. Protocols: full (all source examples),
oc20 (20 of each source class, 8 of DSLR's, by draw), semi (3 labelled examples of each
target class besides); see experiments/shallow/pairs.py. Settings are those of the
papers (experiments/shallow/recipes.py). With --config.choose every setting of a recipe
is fitted, and the columns say what picked one: the paper, source validation, the
validator fixed in advance, circular validation, or the oracle, which alone looks at
target labels.
"""

import dataclasses
import functools
from collections.abc import Iterator

from experiments.shallow import pairs, recipes, trials
from transfer_jax import cli, runs


@dataclasses.dataclass(frozen=True)
class Config:
    """Closed-form methods on pairs of domains."""

    protocol: str = 'full'
    """full, oc20 or semi."""
    draws: int = 1
    """Of the source examples; full draws nothing."""
    choose: bool = False
    """Let validators choose the setting of each method."""
    methods: tuple[str, ...] = ()
    """Names in experiments/shallow/recipes.py; none: all of the protocol."""
    pairs: tuple[str, ...] = ()
    """Such as C-A; none: all 12."""


def build(config: Config) -> runs.Study:
    """The study of a config."""
    if config.protocol not in pairs.PROTOCOLS:
        known = ', '.join(pairs.PROTOCOLS)
        raise ValueError(f'no protocol {config.protocol!r}; choose from {known}')
    if config.draws < 1 or (config.protocol == 'full' and config.draws > 1):
        raise ValueError(
            f'draws {config.draws}: protocol full draws nothing, so it takes 1; the '
            'others 1 or more'
        )
    return table_of(
        config,
        name='shallow.office_caltech',
        task=f'Office-Caltech10 SURF, {config.protocol}',
        methods=config.methods or recipes.OFFICE[config.protocol],
        on=config.pairs or pairs.office_pairs(),
        fast=config == fast(),
    )


def table_of(config, *, name: str, task: str, methods, on, fast: bool) -> runs.Study:
    """The study of some methods on some pairs, under the config's protocol."""
    for method in methods:
        if method not in recipes.RECIPES:
            known = ', '.join(recipes.RECIPES)
            raise ValueError(f'no method {method!r}; choose from {known}')
        if recipes.RECIPES[method].semi_supervised and config.protocol != 'semi':
            raise ValueError(
                f'{method} needs labelled target examples: --config.protocol semi'
            )
    for pair in on:
        pairs.check(pair)
    return runs.Study(
        name=name,
        config=config,
        task=f'{task}, chosen' if config.choose else task,
        cells=tuple(
            {'method': method, 'pair': pair, 'seed': seed}
            for method in methods
            for pair in on
            for seed in range(config.draws)
        ),
        prepare=functools.partial(_prepare, config.protocol),
        measure=trials.choice if config.choose else trials.accuracy,
        across='pair',
        values=trials.CHOSEN if config.choose else ('accuracy',),
        fast=fast,
    )


def sweep() -> Iterator[Config]:
    """The protocols with the papers' settings, then with a choice."""
    yield Config()
    yield Config('oc20', 20)
    yield Config('semi', 3)
    yield Config(choose=True)


def fast() -> Config:
    """A run of seconds on generated features."""
    return Config(methods=('none', 'subspace_alignment'), pairs=(pairs.FAKE,))


def _prepare(protocol: str, data_dir: str | None):
    """(pair, seed) -> what the cells of a draw read."""

    @functools.lru_cache(maxsize=64)
    def load(pair, seed):
        return pairs.load(pair, protocol, seed, data_dir)

    return load


if __name__ == '__main__':
    cli.main(Config, build)
