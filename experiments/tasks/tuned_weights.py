"""The weights that experiments.adaptation.tuning chose, from its file.

Their runs are rows of the digits table, beside those of the published weights.
"""

import json
import pathlib
from collections.abc import Mapping

from experiments.tasks import golden
from transfer_jax import recipes

PATH = pathlib.Path('results/digits_tuning.json')
PAIR, PROTOCOL = 'mnist_to_usps', 'adda'  # on which they were chosen
# The methods whose tuned weight has a row of its own.
METHODS = (
    *('dann', 'cdan', 'mcc', 'bnm'),
    *('dan', 'deep_coral', 'deep_jdot', 'mada'),
)


def read(path: pathlib.Path | None = None) -> Mapping[str, float]:
    """{method: chosen weight}; without methods whose choice the file lacks.

    A choice from files that no commit has is none, nor one that was made when the
    published weight or the golden run of the method was another.

    Args:
      path: of the file; by default PATH, below the working directory.

    Raises:
      ValueError: the file is not JSON.
    """
    path = path or PATH
    return {
        name: entry['chosen']
        for name, entry in entries(path).items()
        if entry['chosen'] is not None and _of_today(name, entry)
    }


def _of_today(name: str, entry: Mapping) -> bool:
    return entry['published'] == recipes.get(name).weight and all(
        start['golden'] == golden.digest(name)
        and not (start['git'] or '-dirty').endswith('-dirty')
        for start in entry['starts']
    )


def entries(path: pathlib.Path) -> dict[str, dict]:
    """{method: its grid, scores and choice}; empty without a file.

    Raises:
      ValueError: the file is not JSON.
    """
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding='utf-8')).get('methods', {})
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None
