"""Rows of the digits table: notes on their weights, and those not run yet."""

from collections.abc import Iterable, Mapping

from experiments.adaptation import digits
from experiments.tables import adaptation
from experiments.tasks import tuned_weights
from transfer_jax import recipes, runs
from transfer_jax.reports import tables


def notes(tuned: Mapping[str, float]) -> tables.Notes:
    """What the config column says of a weight; nothing of the published one.

    Args:
      tuned: {method: weight}, see tuned_weights.read.
    """

    def of(result: dict) -> Mapping[str, str]:
        if result['experiment'] != adaptation.DIGITS:
            return {}
        method, norm, weight = _identity(result['config'])
        recipe = recipes.get(method)
        chosen_here = (
            result['config']['pair'] == tuned_weights.PAIR
            and result['config']['protocol'] == tuned_weights.PROTOCOL
            and norm == recipe.norm
        )
        chosen = tuned.get(method) if chosen_here else None
        if weight == recipe.weight:
            return {'weight': 'tuned = published' if chosen == weight else ''}
        return {'weight': f'{"tuned, " if chosen == weight else ""}weight {weight:g}'}

    return of


def not_run(
    block: adaptation.Block, results: Iterable[dict], noted: tables.Notes
) -> list[tables.Row]:
    """A row for each config of the sweep of experiments.adaptation.digits in a block.

    Args:
      results: of the block; a config with a result gets no row.
    """
    if block.experiment != adaptation.DIGITS:
        return []
    done = {_identity(result['config']) for result in results}
    rows = []
    for config in digits.sweep():
        fields = runs.folder.plain(config)
        task = f'{config.pair}, {config.protocol}'
        if task != block.task or _identity(fields) in done:
            continue
        pseudo = {'experiment': adaptation.DIGITS, 'config': fields}
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
                norm=digits.compared(config.method, config.norm).norm,
            )
        )
    return rows


def _identity(config: Mapping) -> tuple[str, str, float]:
    """(method, norm, weight) in effect."""
    recipe = recipes.get(config['method'])
    weight = config.get('weight')
    return (
        config['method'],
        config.get('norm') or recipe.norm,
        recipe.weight if weight is None else weight,
    )
