"""Grids of configs, and which of them share a program."""

import dataclasses
import pathlib
import re
from typing import Literal

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
    pair: tuple[str, float] = ('a', 1.0)
    scale: Literal['small', 'large'] | None = None
    shuffle: bool = True
    folder: pathlib.Path | None = None


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


def test_spaces_separate_the_items_of_a_tuple():
    made = grid.configs(Config(), ['config.layers=5 10,20 30 -1,7,'])
    assert [config.layers for config in made] == [(5, 10), (20, 30, -1), (7,), ()]
    made = grid.configs(Config(), ['pair=b 2,c 1e-3'])
    assert [config.pair for config in made] == [('b', 2.0), ('c', 0.001)]


def test_booleans_choices_and_paths():
    axes = ['shuffle=True,False', 'scale=small,None', 'folder=a/b c']
    made = grid.configs(Config(), axes)
    assert [(config.shuffle, config.scale) for config in made] == [
        (shuffle, scale) for shuffle in (True, False) for scale in ('small', None)
    ]
    assert made[0].folder == pathlib.Path('a/b c')


def test_a_string_is_taken_as_it_is():
    made = grid.configs(Config(), ['method=a b,--help,1,None'])
    assert [config.method for config in made] == ['a b', '--help', '1', 'None']


@pytest.mark.parametrize(
    'axis, message',
    [
        ('config.rat=1', "no field 'rat'; there are: method, rate, weight, batch"),
        ('rate', 'write FIELD=VALUE,VALUE'),
        ('rate=fast', "'rate' takes float, not 'fast'"),
        ('batch=1.5', "'batch' takes int, not '1.5'"),
        ('batch=', "'batch' takes int, not ''"),
        ('batch=1 2', "'batch' takes int, not '1 2'"),
        ('rate=--help', "'rate' takes float, not '--help'"),
        ('weight=x', "'weight' takes float | None, not 'x'"),
        ('layers=3,x', "'layers' takes tuple[int, ...], not 'x'"),
        ('layers=3 x', "'layers' takes tuple[int, ...], not '3 x'"),
        ('pair=3', "'pair' takes tuple[str, float], not '3'"),
        ('scale=tiny', "Literal['small', 'large']"),
        ('shuffle=maybe', "'shuffle' takes bool, not 'maybe'"),
    ],
)
def test_an_axis_that_makes_no_sense_is_named(axis, message, capfd):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        grid.configs(Config(), [axis])
    assert '\n' not in str(error.value)
    assert capfd.readouterr() == ('', '')


def test_an_axis_given_twice_is_refused():
    with pytest.raises(ValueError, match="names 'rate' twice"):
        grid.configs(Config(), ['rate=1', 'config.rate=2'])


def test_only_the_configs_with_one_of_the_values_are_left():
    made = grid.configs(Config(), ['method=dann,mcc', 'weight=None,0.5', 'batch=8,16'])
    left = grid.only(made, ['config.method=mcc', 'weight=default'])
    assert [(c.method, c.weight, c.batch) for c in left] == [
        ('mcc', None, 8),
        ('mcc', None, 16),
    ]
    assert grid.only(made, ['batch=16,8']) == made and grid.only(made, []) == made
    with pytest.raises(ValueError, match="leaves no config; .*there are: 'mcc'"):
        grid.only(left, ['method=dann'])
    with pytest.raises(ValueError, match="no field 'lr'"):
        grid.only(made, ['lr=1'])


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
