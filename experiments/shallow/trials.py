"""One trial of a table of shallow methods: a method on a pair, measured.

`accuracy` fits the paper's setting. `choice` fits every setting of the recipe, and each
rule of transfer_jax.selection picks one, as it picks a row of a deep method's history;
circular validation is one more rule.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.shallow import recipes
from experiments.tasks import feature_pairs
from transfer_jax import evaluation, metrics, runs, selection, shallow

CIRCULAR = 'circular_validation'
# Columns of a table with --config.choose: what picked the setting.
CHOSEN = ('paper', 'source_validation', 'fixed_validator', CIRCULAR, 'oracle')


class Pipelines:
    """The pipelines of one method at a time; each holds its compiled fit.

    A pipeline is made once and serves all pairs of a table. Asking for another method
    drops the compiled programs of the one before: a few thousand programs use up the
    memory mappings that Linux gives a process.
    """

    def __init__(self):
        self._method = ''
        self._made: dict[tuple, shallow.Pipeline] = {}

    def get(
        self, method: str, classes: int, choice: int = 0, pair: str = ''
    ) -> shallow.Pipeline:
        """As recipes.pipeline."""
        if method != self._method:
            self._method = method
            self._made.clear()
            jax.clear_caches()
        key = (classes, choice, pair)
        if key not in self._made:
            self._made[key] = recipes.pipeline(method, classes, choice, pair)
        return self._made[key]


class Prepared(NamedTuple):
    """What the trials read."""

    load: Callable[[str, int], feature_pairs.Pair]  # (pair, draw)
    pipelines: Pipelines


def accuracy(prepared: Prepared, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Target accuracy with the paper's setting, number of images and seconds."""
    pair, method, seed = _read(prepared, trial)
    by_pair = recipes.RECIPES[method].by_pair
    pipeline = prepared.pipelines.get(
        method,
        len(pair.target_test.classes),
        pair=trial['pair'] if trial['pair'] in by_pair else '',
    )
    started = time.perf_counter()
    fitted = feature_pairs.fit(pipeline, jax.random.key(seed), pair)
    predict = jax.tree_util.Partial(pipeline.predict, fitted)
    test = feature_pairs.held_out(pair).target_test
    result = evaluation.evaluate(predict, test, metrics.accuracy())
    return {
        'accuracy': result['accuracy'],
        'images': result['count'],
        'seconds': time.perf_counter() - started,
    }


def choice(prepared: Prepared, trial: Mapping[str, Any]) -> dict[str, Any]:
    """The setting that each rule picks, and its target accuracy."""
    pair, method, seed = _read(prepared, trial)
    history = [
        _row(prepared.pipelines, pair, method, seed, number)
        for number in range(len(recipes.RECIPES[method].settings))
    ]
    picked = {
        'paper': history[0],
        CIRCULAR: selection.best(history, CIRCULAR),
        **{
            rule: selection.choose(history, selection.RULES[rule])
            for rule in ('source_validation', 'fixed_validator', 'oracle')
        },
    }
    return {
        **{rule: picked[rule]['target_test'] for rule in CHOSEN},
        **{f'{rule}_setting': picked[rule]['setting'] for rule in CHOSEN[1:]},
        'images': history[0]['target_test_images'],
    }


def describe(setting: Mapping[str, Any]) -> str:
    """A setting in words."""
    return ', '.join(f'{k} {v}' for k, v in setting.items())


def _read(prepared, trial) -> tuple[feature_pairs.Pair, str, int]:
    """(what the method reads of the pair, method, seed)."""
    method, seed = trial['method'], trial['seed']
    pair = prepared.load(trial['pair'], seed)
    return recipes.RECIPES[method].sees(pair), method, seed


def _row(pipelines, pair, method, seed, number) -> dict[str, Any]:
    """One setting, its scores by all validators and its target accuracy."""
    recipe = recipes.RECIPES[method]
    pipeline = pipelines.get(method, len(pair.target_test.classes), number)
    key = jax.random.key(seed)
    predicts = feature_pairs.predicts(pipeline)(key, pair)
    scores = runs.measure_adaptation(predicts, feature_pairs.held_out(pair))
    circular = np.nan
    if not recipe.semi_supervised:
        circular = feature_pairs.circular_validation(pipeline, key, pair)
    return {**scores, CIRCULAR: circular, 'setting': describe(recipe.settings[number])}
