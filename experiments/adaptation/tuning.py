"""Scores of weights around the published one, without target labels.

python -m experiments.adaptation.tuning                    # all methods that have one
python -m experiments.adaptation.tuning --methods dan mcc

Each multiple of a recipe's weight trains for 500 steps on MNIST -> USPS (protocol adda,
seed 0). Its score is information maximisation at the last step. The scores are written
to results/digits_tuning.json.
"""

import dataclasses
import json
import pathlib
import sys

import tyro

from experiments.adaptation import digits
from transfer_jax import cli, recipes, runs, selection
from transfer_jax.runs import folder

FACTORS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)  # of the published weight


@dataclasses.dataclass(frozen=True)
class Command:
    """Score every weight of every method."""

    methods: tuple[str, ...] = ()
    """Names of recipes; by default all with a weight."""
    run_root: pathlib.Path = pathlib.Path('runs/tuning')
    """Folder of the run folders; the same command resumes them."""
    scores: pathlib.Path = pathlib.Path('results/digits_tuning.json')
    """File with the scores of all methods, to which these are added."""
    data_dir: str | None = None
    """Data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
    debug: bool = False
    """Show the traceback of an error."""


def main() -> None:
    """Run what is missing, write and print the scores."""
    command = tyro.cli(
        Command, prog='python -m experiments.adaptation.tuning', description=__doc__
    )
    with cli.errors(command.debug):
        chosen = command.methods or [n for n, r in recipes.RECIPES.items() if r.weight]
        for name in chosen:
            recipe = recipes.get(name)
            scores = {
                weight: score(name, weight, command.run_root, command.data_dir)
                for weight in (factor * recipe.weight for factor in FACTORS)
            }
            _save(command.scores, name, scores)
            best = max(scores, key=scores.get)
            note = '' if best == recipe.weight else f'; its recipe has {recipe.weight}'
            listed = ', '.join(f'{w}: {s:.3f}' for w, s in scores.items())
            sys.stdout.write(f'{name}: best {best}{note} ({listed})\n')


def score(name: str, weight: float, root: pathlib.Path, data_dir: str | None) -> float:
    """Information maximisation at the last step, in nats."""
    config = digits.Config(
        method=name, weight=weight, seeds=1, steps=500, evaluations=1
    )
    run_dir = root / f'{name}-{weight}'
    runs.run(digits.build(config), run_dir, data_dir=data_dir)
    return folder.Rows(run_dir / 'history.jsonl').read()[-1][selection.FIXED]


def _save(path: pathlib.Path, name: str, scores: dict[float, float]) -> None:
    """Add the scores of a method to the file."""
    earlier = json.loads(path.read_text()) if path.exists() else {}
    rounded = {str(weight): round(value, 4) for weight, value in scores.items()}
    folder.write_json(path, dict(sorted({**earlier, name: rounded}.items())))


if __name__ == '__main__':
    main()
