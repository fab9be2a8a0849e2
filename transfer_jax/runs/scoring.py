"""The numbers of an evaluation of adaptation: validators, diagnostics, target accuracy.

An experiment of another kind defines another `measure` and describes its `numbers`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfer_jax import evaluation, metrics, selection
from transfer_jax.types import Batch


class HeldOut(NamedTuple):
    """What an evaluation of adaptation reads; only the oracle reads `target_test`."""

    source_validation: Sequence[Batch]  # labelled
    target_train: Sequence[Batch]  # unlabelled
    target_test: Sequence[Batch] | None  # labelled; None where no label is known


class Number(NamedTuple):
    """Describes a number that `measure` returns, for tables and figures."""

    title: str
    percent: bool = False  # a fraction that is shown in %
    in_tables: bool = False  # tables show it for each rule
    count: str = ''  # the number that holds how many examples it is over


# Numbers of adaptation that tables and figures show. A history has more: every
# validator, and diagnostics in its last row.
ADAPTATION: Mapping[str, Number] = {
    'target_test': Number(
        'target test accuracy', percent=True, in_tables=True, count='target_test_images'
    ),
    'source_validation': Number('source validation accuracy', percent=True),
    selection.FIXED: Number('calibrated information maximisation (nats)'),
    'temperature': Number('temperature that calibrates the logits'),
}
# The same where no target label is known: tables show what does not need any.
WITHOUT_TARGET_LABELS: Mapping[str, Number] = {
    name: number._replace(in_tables=name != 'temperature')
    for name, number in ADAPTATION.items()
    if name != 'target_test'
}


def measure_adaptation(
    predicts: Mapping[str, evaluation.Predict],
    held_out: HeldOut,
    final: bool = False,
    *,
    validate_as: str = 'source',
) -> dict[str, float]:
    """Scores of all validators, and the target accuracy where there is a test set.

    Args:
      predicts: {'source': predict, 'target': predict}.
      final: adds the diagnostics of selection.diagnose.
      validate_as: the domain under whose name source validation is predicted. 'target'
        where the target's networks are selected.
    """
    source = _outputs(predicts[validate_as], held_out.source_validation)
    target = _outputs(predicts['target'], held_out.target_train)
    label = evaluation.on_device.labels(held_out.source_validation)
    features = _comparable(source, target)
    evidence = selection.Evidence(
        source['logits'],
        label,
        selection.density_ratio(*features),
        target['logits'],
        *_mixed(predicts['target'], held_out.target_train, target['logits'].argmax(-1)),
    )
    row = {
        **selection.score(evidence),
        'temperature': selection.temperature(source['logits'], label),
        **(selection.diagnose(features[0], label, features[1]) if final else {}),
    }
    if held_out.target_test is None:
        return row
    test = evaluation.evaluate(
        predicts['target'], held_out.target_test, metrics.accuracy()
    )
    return {
        **row,
        'target_test': test['accuracy'],
        'target_test_images': test['count'],
    }


def _outputs(predict, batches) -> dict[str, np.ndarray]:
    return evaluation.extract(
        predict, batches, ['logits'], optional_layers=['features']
    )


def _comparable(source, target) -> list[np.ndarray]:
    """Features (n, d) and (m, d) of both domains; logits where they do not compare.

    A shallow method may have no features, or map each domain into another space.
    """
    parts = [outputs.get('features') for outputs in (source, target)]
    if all(part is not None for part in parts):
        parts = [part.reshape(len(part), -1) for part in parts]
        if parts[0].shape[1] == parts[1].shape[1]:
            return parts
    return [source['logits'], target['logits']]


def _mixed(predict, batches, label) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence from mixed images: logits, dominant labels, whether both labels agree.

    Args:
      label: (m,) predicted labels of the images of the batches.
    """
    partners = []

    def pair(start, stop):
        partners.append(start + selection.partners(label[start:stop]))
        return partners[-1] - start

    def mixtures():
        start = 0
        for batch in batches:
            stop = start + int(np.sum(np.asarray(batch['mask']) > 0))
            yield selection.mix(batch, pair(start, stop))
            start = stop

    mixed = mixtures()
    if isinstance(batches, evaluation.on_device.Batches):
        for start in range(0, batches.items, batches.size):
            pair(start, min(start + batches.size, batches.items))
        mixed = evaluation.on_device.mixed(
            batches, np.concatenate(partners), selection.mixing.DOMINANT
        )
    logits = _outputs(predict, mixed)['logits']
    partner = np.concatenate(partners)
    pairs = partner != np.arange(len(label))
    return logits[pairs], label[pairs], (label == label[partner])[pairs]
