"""What a finished run says: the predictions of its chosen models, and their rows."""

import functools
import json
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from transfer_jax import runs, selection
from transfer_jax.adapt import verdict
from transfer_jax.adapt.photographs import Photographs
from transfer_jax.cli import classifier
from transfer_jax.runs import folder


class Outcome(NamedTuple):
    """One method after its run, over s seeds."""

    side: verdict.Side
    source: np.ndarray  # (s, m, c) probabilities of the validation images
    source_labels: np.ndarray  # (s, m)
    features: Mapping[str, np.ndarray]  # {domain: (n, d)} of the first seed
    test_accuracy: tuple[float, ...]  # of each seed; () without target labels
    about: Mapping[str, object]  # config, versions, revision
    run_dir: pathlib.Path | None = None  # None: it has no model folder
    frozen: bool = False  # features of a network that was not trained

    @property
    def title(self) -> str:
        """The name of the method; source only with separate statistics is AdaBN."""
        title = self.side.name.replace('_', ' ')
        if self.frozen:
            return f'{title} on frozen features'
        adabn = title == 'source only' and self.about.get('norm') == 'separate'
        return title + (' (AdaBN)' if adabn else '')


def collect(
    experiment: runs.Experiment,
    run_dir: pathlib.Path,
    data: Mapping[int, Photographs],
    validate_as: str = 'source',
) -> Outcome:
    """Predicts with the models that the fixed validator picks, else with the last.

    Args:
      data: {seed: its photographs}.
      validate_as: the domain under whose name source images are predicted.
    """
    result = json.loads((run_dir / 'result.json').read_text())
    rule = 'fixed_validator' if 'fixed_validator' in result['scores'] else 'last'
    rows = folder.Rows(run_dir / 'history.jsonl').read()
    chosen, target, other, source, labels, test = [], [], [], [], [], []
    features = {}
    for seed, photographs in data.items():
        chosen.append(_row(experiment, rows, seed, rule))
        load = functools.partial(runs.load_model, run_dir, seed=seed)
        model, on_source, by_source = map(
            classifier.Classifier,
            (load(rule), load(rule, domain=validate_as), load('source_validation')),
        )
        images = photographs.target.image
        held_out = photographs.source_validation.image
        target.append(model.probabilities(images))
        other.append(by_source.probabilities(images).argmax(-1))
        source.append(on_source.probabilities(held_out))
        labels.append(photographs.source_validation.label)
        if not features:
            features = {
                'source': on_source.transform(held_out),
                'target': model.transform(images),
            }
        if photographs.target_test is not None:
            test.append(chosen[-1]['target_test'])
    side = verdict.Side(
        experiment.method,
        np.stack(target),
        np.stack(other),
        chosen,
        result['diagnostics']['a_distance']['mean'],
        rule,
    )
    about = {
        **result['config'],
        **runs.provenance.versions(result),
        'made with': runs.provenance.revisions(result),
    }
    return Outcome(
        side,
        np.stack(source),
        np.stack(labels),
        features,
        tuple(test),
        about,
        run_dir,
    )


def _row(experiment, rows, seed, rule) -> Mapping[str, float]:
    """The row of the history that the rule picks, with the last row's diagnostics."""
    stage = experiment.stages[-1].name
    of_seed = [r for r in rows if (r['seed'], r['stage']) == (seed, stage)]
    of_seed.sort(key=lambda row: row['step'])
    chosen = selection.choose(of_seed, experiment.rules[rule])
    diagnostics = {name: of_seed[-1][name] for name in selection.DIAGNOSTICS}
    return {**chosen, **diagnostics}
