"""Grids of configs, and which of them share a program."""

import dataclasses

import pytest

from transfer_jax.cli import grid


@dataclasses.dataclass(frozen=True)
class Config:
    """Of a page."""

    method: str = 'dann'
    rate: float = 1e-3
    weight: float | None = None
    batch: int = 32
    layers: tuple[int, ...] = ()


def test_a_grid_is_every_combination_the_last_axis_fastest():
    made = grid.configs(Config(), ['config.method=dann,mcc', 'rate=1e-2,1', 'batch=8'])
    seen = [(c.method, c.rate, c.batch) for c in made]
    assert seen == [(m, r, 8) for m in ('dann', 'mcc') for r in (0.01, 1.0)]
    assert all(isinstance(config.rate, float) for config in made)


def test_a_value_twice_is_one_config_and_no_axis_is_the_page_itself():
    assert len(grid.configs(Config(), ['rate=1,1.0'])) == 1
    assert grid.configs(Config(), []) == [Config()]


def test_a_field_that_may_be_none_takes_both():
    made = grid.configs(Config(), ['weight=default,0.5'])
    assert [config.weight for config in made] == [None, 0.5]


@pytest.mark.parametrize(
    'axis, message',
    [
        ('config.rat=1', "no field 'rat'; there are: method, rate, weight, batch"),
        ('rate', 'write FIELD=VALUE,VALUE'),
        ('rate=fast', "'rate' takes float, not 'fast'"),
        ('batch=1.5', "'batch' takes int, not '1.5'"),
        ('layers=3', "'layers' takes"),
    ],
)
def test_an_axis_that_makes_no_sense_is_named(axis, message):
    with pytest.raises(ValueError, match=message):
        grid.configs(Config(), [axis])


def test_an_axis_given_twice_is_refused():
    with pytest.raises(ValueError, match="names 'rate' twice"):
        grid.configs(Config(), ['rate=1', 'config.rate=2'])


def test_configs_that_differ_in_traced_numbers_are_a_group():
    made = grid.configs(
        Config(), ['method=dann,mcc', 'rate=1,2', 'weight=None,0.5,1', 'batch=8,16']
    )
    groups = grid.groups(made, ('rate', 'weight'))
    assert sorted(map(len, groups)) == 4 * [2] + 4 * [4]  # without a weight, with one
    for group in groups:
        assert len({(c.method, c.batch, c.weight is None) for c in group}) == 1
    assert sorted(map(repr, sum(groups, []))) == sorted(map(repr, made))


@pytest.mark.parametrize(
    'name, message',
    [('batch', "'batch' is 32, which decides what is built"), ('lr', "no field 'lr'")],
)
def test_what_cannot_be_traced_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        grid.groups([Config()], (name,))
