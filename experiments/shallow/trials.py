"""One cell of a table of closed-form methods: a method on a pair, measured.

Alone, the method runs with its paper's setting. With a choice, every setting of its
recipe is fitted, and each rule of transfer_jax.selection picks one, as it picks a row
of a deep method's history; circular validation is one rule more.
"""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.shallow import recipes
from experiments.tasks import feature_pairs
from transfer_jax import evaluation, metrics, runs, selection

CIRCULAR = 'circular_validation'
# Columns of a table with a choice: what picked the setting.
CHOSEN = ('paper', 'source_validation', 'fixed_validator', CIRCULAR, 'oracle')


Load = Callable[[str, int], feature_pairs.Pair]  # (pair, draw)


class _Asked(NamedTuple):
    """What watching.measure wants to know of an experiment."""

    validate_as: str = 'source'


def accuracy(load: Load, cell: Mapping[str, Any]) -> dict[str, Any]:
    """Target accuracy with the paper's setting, and what the cell took."""
    pair, method, seed = _open(load, cell)
    own = cell['pair'] if cell['pair'] in recipes.RECIPES[method].by_pair else ''
    pipeline = _pipeline(method, len(pair.target_test.classes), 0, own)
    started = time.perf_counter()
    fitted = feature_pairs.fit(pipeline, jax.random.key(seed), pair)
    predict = jax.tree_util.Partial(pipeline.predict, fitted)
    test = feature_pairs.held_out(pair).target_test
    found = evaluation.evaluate(predict, test, metrics.accuracy())
    return {
        'accuracy': found['accuracy'],
        'images': found['count'],
        'seconds': time.perf_counter() - started,
    }


def choice(load: Load, cell: Mapping[str, Any]) -> dict[str, Any]:
    """Target accuracy of the settings that the rules pick, and which these are."""
    pair, method, seed = _open(load, cell)
    recipe = recipes.RECIPES[method]
    history = [_row(pair, method, seed, i) for i in range(len(recipe.settings))]
    picked = {
        'paper': history[0],
        CIRCULAR: selection.best(history, CIRCULAR),
        **{
            rule: selection.choose(history, rule)
            for rule in ('source_validation', 'fixed_validator', 'oracle')
        },
    }
    return {
        **{rule: picked[rule]['target_test'] for rule in CHOSEN},
        **{f'{rule}_setting': picked[rule]['setting'] for rule in CHOSEN[1:]},
        'images': history[0]['target_test_images'],
    }


def _open(load, cell):
    method, seed = cell['method'], cell['seed']
    _forget_others(method)
    return recipes.RECIPES[method].sees(load(cell['pair'], seed)), method, seed


def _row(pair, method, seed, number) -> dict[str, Any]:
    recipe = recipes.RECIPES[method]
    pipeline = _pipeline(method, len(pair.target_test.classes), number)
    key = jax.random.key(seed)
    predicts = feature_pairs.closed_form(pipeline)(key, pair)
    row = runs.hook.measure(predicts, _Asked(), feature_pairs.held_out(pair))
    circular = np.nan
    if not recipe.semi_supervised:
        circular = feature_pairs.circular_validation(pipeline, key, pair)
    return {**row, CIRCULAR: circular, 'setting': describe(recipe.settings[number])}


def describe(setting: Mapping[str, Any]) -> str:
    """A setting in words."""
    return ', '.join(f'{k} {v}' for k, v in setting.items())


# A pipeline holds its compiled fit: the same one for all pairs of a table.
_pipeline = functools.lru_cache(maxsize=256)(recipes.pipeline)


@functools.lru_cache(maxsize=1)
def _forget_others(method: str) -> None:
    """Lets go of the programs of the method before this one.

    A few thousand programs use up the memory mappings that Linux gives a process.
    """
    del method
    _pipeline.cache_clear()
    jax.clear_caches()
