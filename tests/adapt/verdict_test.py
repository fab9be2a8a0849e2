"""Yes, no or cannot say, by hand-made evidence."""

import numpy as np
import pytest

from transfer_jax import selection
from transfer_jax.adapt import verdict

CLASSES = ('cat', 'dog', 'owl')
SHARE = np.array([0.5, 0.3, 0.2])


def side(labels=(0, 0, 0, 0, 0, 1, 1, 1, 2, 2), a_distance=1.0, rows=({},), **numbers):
    labels = np.asarray(labels)
    probabilities = np.eye(3)[labels] * 0.7 + 0.1
    base = {
        selection.FIXED: 1.0,
        'mixval': 0.5,
        'reverse_validation_linear': 0.5,
        'source_validation': 0.9,
    }
    rows = [{**base, **numbers, **row} for row in rows]
    seeds = len(rows)
    return verdict.Side(
        'mcc',
        np.stack([probabilities] * seeds),
        np.stack([labels] * seeds),
        rows,
        a_distance,
        'fixed_validator',
    )


def judge(adapted, plain=None):
    return verdict.judge(adapted, plain or side(), SHARE, CLASSES)


@pytest.mark.parametrize(
    ('numbers', 'answer'),
    [
        ({selection.FIXED: 1.2}, verdict.YES),
        ({selection.FIXED: 0.9}, verdict.NO),
        ({selection.FIXED: 1.01}, verdict.CANNOT_SAY),  # less than 0.02 nats
        ({selection.FIXED: 0.99}, verdict.CANNOT_SAY),
        ({selection.FIXED: 1.2, 'source_validation': 0.8}, verdict.NO),
        ({selection.FIXED: 1.2, 'source_validation': 0.87}, verdict.YES),
        ({selection.FIXED: 1.2, 'mixval': 0.4}, verdict.YES),  # one still agrees
        (
            {selection.FIXED: 1.2, 'mixval': 0.4, 'reverse_validation_linear': 0.4},
            verdict.CANNOT_SAY,
        ),
        ({selection.FIXED: np.nan}, verdict.CANNOT_SAY),
        ({selection.FIXED: np.nan, 'source_validation': 0.8}, verdict.NO),
    ],
)
def test_the_fixed_validator_decides_and_the_others_may_object(numbers, answer):
    judged = judge(side(**numbers))
    assert judged.answer == answer
    assert judged.adapted == (answer == verdict.YES)


def test_a_difference_below_its_standard_error_says_nothing():
    rows = [{selection.FIXED: 1.5}, {selection.FIXED: 0.6}]  # mean +.05, error .45
    judged = judge(side(rows=rows), side(rows=[{}, {}]))
    assert judged.answer == verdict.CANNOT_SAY
    assert '+0.050 ± 0.450' in judged.reasons[0]


def test_predictions_in_one_class_are_never_a_yes():
    collapsed = side(labels=(2,) * 10, **{selection.FIXED: 2.0})
    judged = judge(collapsed)
    assert judged.answer == verdict.CANNOT_SAY
    assert any('few classes' in reason for reason in judged.reasons)


def test_warnings_have_their_thresholds():
    assert judge(side()).warnings == ()
    warnings = judge(side(labels=(2,) * 7 + (1,) * 3)).warnings
    assert len(warnings) == 2
    assert warnings[0].startswith('cat is predicted for 0.0% of the target, less than')
    assert warnings[1].startswith('owl is predicted for 70.0% of the target, more than')
    assert 'A-distance 1.90' in judge(side(a_distance=1.9)).warnings[0]
    one = side()
    other = one._replace(
        other_labels=np.where(one.other_labels == 1, 0, one.other_labels)
    )
    assert 'disagree on 30.0%' in judge(other).warnings[0]


def test_of_many_classes_a_few_are_named():
    share = np.full(40, 1 / 40)
    probabilities = np.eye(40)[np.arange(80) % 20][None]  # half of the classes
    one = side()._replace(probabilities=probabilities)
    one = one._replace(other_labels=probabilities.argmax(-1))
    warnings = verdict.warn(one, share, [f'c{i}' for i in range(40)])
    assert len(warnings) == 5 and warnings[0].startswith('c20 is predicted for 0.0%')
    assert warnings[-1].endswith('; and 15 classes more')


def test_the_agreement_of_seeds():
    two = side(rows=[{}, {}])
    assert verdict.agreement_of_seeds(side()) is None
    assert verdict.agreement_of_seeds(two) == 1.0
    changed = two.probabilities.copy()
    changed[1, :3] = changed[1, :3, ::-1]
    assert verdict.agreement_of_seeds(two._replace(probabilities=changed)) == 0.7


def test_shares_are_of_all_seeds():
    np.testing.assert_allclose(verdict.predicted_shares(side(rows=[{}, {}])), SHARE)
