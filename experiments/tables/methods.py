"""The table of docs/methods.md: a row for each of the recipes.

`python -m experiments.table readme` writes it, with the tables of README.md.
"""

import inspect
import pathlib
from collections.abc import Sequence

from experiments.adaptation import digits
from experiments.tables import stale
from transfer_jax import recipes
from transfer_jax.reports import grids

TASKS = {'mnist_to_usps, adda': 'M -> U', 'usps_to_mnist, adda': 'U -> M'}


def markdown(results: Sequence[dict]) -> str:
    """The table, with the results of adaptation.digits under protocol adda.

    Accuracies are of results of today's code whose weight is the one in the table.
    """
    root = pathlib.Path(__file__).parents[2]
    scores = {
        (result['method'], result['task']): result['scores']['fixed_validator']
        for result in results
        if result['experiment'] == 'adaptation.digits'
        and _of_the_recipe(result)
        and not stale.earlier_code(result)
        and 'fixed_validator' in result['scores']
    }
    head = [
        *('method', 'paper', 'objective', 'weight', 'from', 'file', 'run'),
        *TASKS.values(),
    ]
    body = []
    for name, recipe in recipes.RECIPES.items():
        if not recipe.objective:
            continue
        described = recipe.described_by or recipe.method
        file = pathlib.Path(inspect.getfile(described)).relative_to(root).as_posix()
        cells = [
            f'{100 * scores[name, task]["target_test"]["mean"]:.1f}'
            if (name, task) in scores
            else ''
            for task in TASKS
        ]
        link = f'[{file.rpartition("/")[2]}](../{file})'
        weight = f'{recipe.weight:g}' if recipe.weight_name else ''
        body.append(
            [
                *(recipe.title, recipe.paper, recipe.objective),
                weight + ' ↗' * recipe.ramp,
                *(recipe.weight_source, link, name, *cells),
            ]
        )
    return '\n'.join(grids.markdown(head, body, words=('from',)))


def _of_the_recipe(result: dict) -> bool:
    """Whether a result has the norm and the weight of its method's recipe."""
    recipe = recipes.RECIPES.get(result['method'])
    if recipe is None or result['config']['norm']:
        return False
    given = result['config']
    if (given.get('batch'), given.get('balanced')) != (
        recipe.batch or digits.BATCH,
        recipe.balanced,
    ):
        return False
    return not recipe.weight_name or given['weight'] == recipe.weight
