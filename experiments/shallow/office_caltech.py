"""Every shallow method on Office-Caltech10, from bags of SURF words.

The table has published lines under ours; experiments/shallow/published.py names their
sources. The 12 values without adaptation, C-A 23.70 to D-W 63.39 (Long et al., ICCV
2013), are reproduced to the digit.

    python -m experiments.shallow.office_caltech
    python -m experiments.shallow.office_caltech --config.protocol oc20 \
        --config.draws 20
    python -m experiments.shallow.office_caltech --config.protocol semi \
        --config.draws 3
    python -m experiments.shallow.office_caltech --config.choose
    python -m experiments.table office_caltech

Domains: C Caltech10, A Amazon, W Webcam, D DSLR. Protocols: full (all source examples),
oc20 (20 drawn examples of each source class, 8 of DSLR's), semi (as oc20, with 3
labelled examples of each target class); see experiments/shallow/pairs.py. Settings are
those of the papers (experiments/shallow/recipes.py). With --config.choose every setting
of a recipe is fitted, and each column picks one of them: by the paper, source
validation, the validator fixed in advance, circular validation, or the oracle. Only the
oracle reads target labels.
"""

import dataclasses
import functools
from collections.abc import Iterator

from experiments.shallow import pairs, recipes, trials
from experiments.tasks import choices
from transfer_jax import cli, runs


@dataclasses.dataclass(frozen=True)
class Config:
    """Shallow methods on pairs of domains."""

    protocol: str = 'full'
    """full, oc20 or semi."""
    draws: int = 1
    """Draws of the source examples; protocol full draws nothing."""
    choose: bool = False
    """Let validators choose the setting of each method."""
    methods: tuple[str, ...] = ()
    """Names in experiments/shallow/recipes.py; by default those of the protocol."""
    pairs: tuple[str, ...] = ()
    """Such as C-A; by default all 12."""


def build(config: Config) -> runs.Study:
    """The study of a config."""
    choices.check('protocol', config.protocol, pairs.PROTOCOLS)
    if config.draws < 1 or (config.protocol == 'full' and config.draws > 1):
        raise ValueError(
            f'draws {config.draws}: 1 with protocol full, which draws nothing; 1 or '
            'more with the others'
        )
    return table_of(
        config,
        name='shallow.office_caltech',
        task=f'Office-Caltech10 SURF, {config.protocol}',
        methods=config.methods or recipes.OFFICE[config.protocol],
        pair_names=config.pairs or pairs.office_pairs(),
        fast=config == fast(),
    )


def table_of(
    config, *, name: str, task: str, methods, pair_names, fast: bool
) -> runs.Study:
    """The study of some methods on some pairs, under the config's protocol."""
    for method in methods:
        choices.check('method', method, recipes.RECIPES)
        if recipes.RECIPES[method].semi_supervised and config.protocol != 'semi':
            raise ValueError(
                f'{method} needs labelled target examples: --config.protocol semi'
            )
    for pair in pair_names:
        pairs.check(pair)
    return runs.Study(
        name=name,
        config=config,
        task=f'{task}, chosen' if config.choose else task,
        trials=tuple(
            {'method': method, 'pair': pair, 'seed': seed}
            for method in methods
            for pair in pair_names
            for seed in range(config.draws)
        ),
        prepare=functools.partial(_prepare, config.protocol),
        measure=trials.choice if config.choose else trials.accuracy,
        across='pair',
        values=trials.CHOSEN if config.choose else ('accuracy',),
        fast=fast,
    )


def sweep() -> Iterator[Config]:
    """The protocols with the papers' settings, then full with chosen ones."""
    yield Config()
    yield Config('oc20', 20)
    yield Config('semi', 3)
    yield Config(choose=True)


def fast() -> Config:
    """A run of seconds on generated features."""
    return Config(methods=('none', 'subspace_alignment'), pairs=(pairs.FAKE,))


def _prepare(protocol: str, data_dir: str | None) -> trials.Prepared:
    @functools.lru_cache(maxsize=64)
    def load(pair, seed):
        return pairs.load(pair, protocol, seed, data_dir)

    return trials.Prepared(load, trials.Pipelines())


if __name__ == '__main__':
    cli.main(Config, build)
