"""Rows of the digits table: notes on their weights, and those not run yet."""

import dataclasses
from collections.abc import Iterable, Mapping

from experiments.adaptation import digits
from experiments.tables import adaptation, stale
from experiments.tasks import digit_pairs, tuned_weights
from transfer_jax import recipes, runs
from transfer_jax.reports import tables


def notes(tuned: Mapping[str, float]) -> tables.Notes:
    """What the config column says of weights, batches, and results of earlier code.

    Nothing of what a recipe has by default.

    Args:
      tuned: {method: weight}, see tuned_weights.read.
    """

    def of(result: dict) -> Mapping[str, str]:
        earlier = {'golden': 'earlier code'} if stale.earlier_code(result) else {}
        if result['experiment'] != adaptation.DIGITS:
            return earlier
        given = result['config']
        config = digits.resolved(_config(given))
        recipe, usual = (
            recipes.get(config.method),
            digits.resolved(digits.Config(config.method)),
        )
        here = (config.pair, config.protocol) == (
            tuned_weights.PAIR,
            tuned_weights.PROTOCOL,
        )
        chosen = None
        if here and config.norm in ('', recipe.norm):
            chosen = tuned.get(config.method)
        if config.weight == usual.weight:
            weight = 'tuned = published' if chosen == recipe.weight else ''
        else:
            tuned_here = 'tuned, ' if chosen == config.weight else ''
            weight = f'{tuned_here}weight {config.weight:g}'
        batch = ''
        if (config.batch, config.balanced) != (usual.batch, usual.balanced):
            batch = f'batch {config.batch}{", balanced" if config.balanced else ""}'
        return {'weight': weight, 'batch': batch, 'balanced': '', **earlier}

    return of


def not_run(
    block: adaptation.Block, results: Iterable[dict], noted: tables.Notes
) -> list[tables.Row]:
    """A row for each config of the sweep of experiments.adaptation.digits in a block.

    Args:
      results: of the block; a config with a result of today's code and of enough seeds
        gets no row.
    """
    if block.experiment != adaptation.DIGITS:
        return []
    done = {
        _identity(_config(result['config']))
        for result in results
        if len(result['seeds']) >= tables.FEW and not stale.earlier_code(result)
    }
    rows = []
    for config in digits.sweep():
        fields = runs.folder.plain(config)
        task = f'{config.pair}, {config.protocol}'
        if task != block.task or _identity(config) in done:
            continue
        pseudo = {'experiment': adaptation.DIGITS, 'config': fields, 'starts': []}
        rows.append(
            tables.Row(
                task=block.task,
                method=config.method,
                experiment=adaptation.DIGITS,
                number=runs.scoring.ADAPTATION['target_test'].title,
                steps=0,
                seeds=0,
                examples=None,
                scores={},
                rules={},
                gain=None,
                share=None,
                differs=', '.join(filter(None, noted(pseudo).values())),
                published=block.published.get(config.method),
                norm=digits.compared(config).norm,
            )
        )
    return rows


def _config(fields: Mapping) -> digits.Config:
    """The config of a result, also of one that lacks a field of today."""
    known = {field.name for field in dataclasses.fields(digits.Config)}
    return digits.Config(**{k: v for k, v in fields.items() if k in known})


def _identity(config: digits.Config) -> digits.Config:
    """What a row of the table is: the config in effect, but for its seeds.

    Train on target is the same run whether its domain is named or follows from the
    pair.
    """
    config = dataclasses.replace(
        digits.resolved(config),
        norm=config.norm or recipes.get(config.method).norm,
        seeds=0,
    )
    if config.method == 'train_on_target':
        target = config.target or digit_pairs.PAIRS[config.pair][1]
        return dataclasses.replace(config, pair='', source=target, target=target)
    return config
