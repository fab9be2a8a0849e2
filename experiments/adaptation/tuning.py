"""The weights of the rows "tuned" of the digits table, chosen without target labels.

python -m experiments.adaptation.tuning                    # methods with such a row
python -m experiments.adaptation.tuning --methods dan mcc
python -m experiments.adaptation.tuning --methods all      # all that have a weight

Every weight of a method's grid trains on MNIST -> USPS (protocol adda, 500 steps, 3
seeds). The grid is 0 and the published weight times 1/9, 1/3, 1, 3 and 9. The weights
of one method are ranked by information maximisation of calibrated predictions at the
last step, mean over seeds; methods are not ranked. A seed whose temperature is not
identified (every held-out source image is classified correctly) is left out, for all
weights, and named.
While the best weight is the largest one or the smallest above 0, the grid gets one more
there, at most 3 in all; if it still is, the result says "at an edge". 0 is no edge. It
is source only, so a method whose best weight is 0 has no loss that helps by this score.

Some losses are nearly this score: entropy, MCC, BNM, self-training, AutoDIAL. Of these
the choice of SND is shown beside it.

results/digits_tuning.json holds grids, scores, temperatures, choices, and what each run
was made with; experiments.adaptation.digits reads the choices from it. The same command
goes on where it was stopped.
"""

import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import tyro

from experiments.adaptation import digits, weight_search
from experiments.tasks import tuned_weights
from transfer_jax import cli, recipes, runs, selection
from transfer_jax.cli import allocator, arithmetic, compilation_cache
from transfer_jax.reports import grids
from transfer_jax.runs import folder, grouping

# Methods whose loss is nearly the score, and the score that is shown beside it.
ALIKE = ('entropy_minimization', 'mcc', 'bnm', 'self_training', 'autodial')
BESIDE = 'snd'


@dataclasses.dataclass(frozen=True)
class Command:
    """Score the weights of methods."""

    methods: tuple[str, ...] = tuned_weights.METHODS
    """Names of recipes that have a weight, or all."""
    run_root: pathlib.Path = pathlib.Path('runs/tuning')
    """Folder of the run folders; the same command resumes them."""
    scores: pathlib.Path = tuned_weights.PATH
    """File with the scores of all methods, to which these are added."""
    data_dir: str | None = None
    """Data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
    fast: bool = False
    """Runs of seconds on generated data, for tests."""
    compute: arithmetic.Field = arithmetic.Flags()
    debug: bool = False
    """Show the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """Run what is missing, write and print the scores."""
    command = tyro.cli(
        Command,
        prog='python -m experiments.adaptation.tuning',
        description=__doc__,
        args=args,
    )
    with cli.errors(command.debug):
        allocator.retain_freed()
        arithmetic.prepare(command.compute)
        compilation_cache.enable()
        arithmetic.apply(command.compute)
        base = config(command.fast)
        names = chosen_methods(command.methods)
        for number, name in enumerate(names, 1):
            _say(f'{name} ({number} of {len(names)}):')

            def score(weights, name=name):
                return scored(name, weights, base, command.run_root, command.data_dir)

            outcome = weight_search.search(recipes.get(name).weight, score)
            save(command.scores, base, name, outcome)
            _say(text(name, outcome))
        _say(summary(tuned_weights.entries(command.scores)))


def config(fast: bool = False) -> digits.Config:
    """The config of every run but for its method and weight."""
    if fast:
        return dataclasses.replace(digits.fast(), seeds=2, evaluations=1)
    return digits.Config(
        pair=tuned_weights.PAIR,
        protocol=tuned_weights.PROTOCOL,
        seeds=3,
        steps=500,
        evaluations=1,
    )


def chosen_methods(names: Sequence[str]) -> list[str]:
    """The methods to tune; 'all' are those with a weight.

    Raises:
      ValueError: no such method, or one without a weight.
    """
    weighted = [name for name, recipe in recipes.RECIPES.items() if recipe.weight]
    if 'all' in names:
        return weighted
    for name in names:
        if not recipes.get(name).weight:
            raise ValueError(
                f'method {name!r} has no weight; choose from {", ".join(weighted)}'
            )
    return list(names)


def scored(
    name: str,
    weights: Sequence[float],
    base: digits.Config,
    root: pathlib.Path,
    data_dir: str | None,
) -> dict[float, weight_search.Scores]:
    """Trains the weights of a method in one program, and reads their last rows."""
    configs = [dataclasses.replace(base, method=name, weight=w) for w in weights]
    result = {}
    for weight, experiment in zip(
        weights, grouping.share(digits.build, configs, digits.TRACED), strict=True
    ):
        run_dir = cli.default_folder(experiment, root)
        starts = runs.provenance.starts(
            runs.run(experiment, run_dir, data_dir=data_dir)
        )
        history = folder.Rows(run_dir / 'history.jsonl').read()
        stage = experiment.stages[-1].name
        last = [
            max(
                (r for r in history if (r['seed'], r['stage']) == (seed, stage)),
                key=lambda row: row['step'],
            )
            for seed in experiment.seeds
        ]
        result[weight] = weight_search.Scores(
            *(
                [row[column] for row in last]
                for column in (selection.FIXED, BESIDE, 'temperature')
            ),
            starts,
        )
        _say(f'  weight {weight:g}: {_shown(result[weight].mean)}')
    return result


def text(name: str, outcome: weight_search.Tuned) -> str:
    """The scores of a method, a line for each weight, and its choice."""
    head = ['weight', 'score', 'by seed', 'temperature', BESIDE, '']
    published = recipes.get(name).weight
    body = []
    for weight, scores in outcome.by_weight.items():
        marks = {
            'published': weight == published,
            'source only': not weight,
            'chosen': weight == outcome.chosen,
            f'chosen by {BESIDE}': weight == outcome.beside,
        }
        body.append(
            [
                f'{weight:g}',
                _shown(scores.mean),
                ' '.join(map(_shown, scores.fixed)),
                ' '.join(f'{t:.2f}' for t in scores.temperature),
                _shown(weight_search.mean(scores.beside)),
                ', '.join(mark for mark, holds in marks.items() if holds),
            ]
        )
    lines = grids.text(head, body, words=('',))
    left_out = sum(
        np.isnan(scores.fixed).sum() for scores in outcome.by_weight.values()
    )
    if left_out:
        lines.append(
            f'{left_out} runs are left out of the means (nan): source accuracy is 100 '
            '%, so no temperature is identified'
        )
    if outcome.at_edge:
        lines.append(f'at an edge of its grid: {outcome.chosen:g}')
    return '\n'.join(f'  {line}' for line in lines)


def summary(entries: Mapping[str, Mapping]) -> str:
    """The choices of all methods of the file."""
    head = ['method', 'published', 'tuned', f'by {BESIDE}', 'agree', 'edge', 'left out']
    body = [
        [
            name,
            f'{entry["published"]:g}',
            _weight(entry['chosen']),
            _weight(entry['chosen_by_snd']) if name in ALIKE else '',
            _agree(entry) if name in ALIKE else '',
            'at an edge' if entry['at_edge'] else '',
            str(sum(len(of['left_out']) for of in entry['weights'].values()) or ''),
        ]
        for name, entry in entries.items()
    ]
    notes = [
        f'Tuned: by {selection.FIXED.replace("_", " ")}, within the method. By '
        f'{BESIDE}: where the loss is nearly that score. Left out: seeds without a '
        'temperature.'
    ]
    return '\n'.join([*grids.text(head, body), '', *notes])


def save(
    path: pathlib.Path, base: digits.Config, name: str, outcome: weight_search.Tuned
) -> None:
    """Adds the outcome of a method to the file, or replaces it there.

    Methods in it that were scored in another way are dropped.
    """
    about = {
        'task': f'{base.pair}, {base.protocol}',
        'steps': base.steps,
        'seeds': base.seeds,
        'ranked_by': selection.FIXED,
    }
    earlier = json.loads(path.read_text()) if path.exists() else {}
    same = all(earlier.get(key) == value for key, value in about.items())
    entries = {**(earlier['methods'] if same else {}), name: _plain(name, outcome)}
    path.parent.mkdir(parents=True, exist_ok=True)
    folder.write_json(path, {**about, 'methods': dict(sorted(entries.items()))})


def _plain(name: str, outcome: weight_search.Tuned) -> dict:
    starts = [  # the same for every weight, but for the time
        {key: value for key, value in start.items() if key != 'time'}
        for of in outcome.by_weight.values()
        for start in of.starts
    ]
    return {
        'published': recipes.get(name).weight,
        'chosen': outcome.chosen,
        'chosen_by_snd': outcome.beside,
        'at_edge': outcome.at_edge,
        'weights': {
            f'{weight:g}': {
                'score': _number(scores.mean),
                'scores': [*map(_number, scores.fixed)],
                'snd': [*map(_number, scores.beside)],
                'temperature': [*map(_number, scores.temperature)],
                'left_out': [i for i, s in enumerate(scores.fixed) if math.isnan(s)],
            }
            for weight, scores in outcome.by_weight.items()
        },
        'starts': list({json.dumps(start): start for start in starts}.values()),
    }


def _agree(entry: Mapping) -> str:
    return 'yes' if entry['chosen'] == entry['chosen_by_snd'] else 'no'


def _number(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return None if math.isnan(value) else round(float(value), 4)


def _shown(value: float) -> str:
    return f'{value:.4f}'


def _weight(value: float | None) -> str:
    return 'none' if value is None else f'{value:g}'


def _say(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    main()
