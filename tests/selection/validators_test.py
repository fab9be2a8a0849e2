"""Each validator by hand, with permuted images, and on degenerate evidence."""

import numpy as np
import pytest

from transfer_jax import selection

NAN = float('nan')
FIELDS_USED = {  # by each validator
    'source_validation': ('source_logits', 'source_label'),
    'iwcv': ('source_logits', 'source_label', 'source_weight'),
    'dev': ('source_logits', 'source_label', 'source_weight'),
    'entropy': ('target_logits',),
    'information_maximization': ('target_logits',),
    'calibrated_information_maximization': (
        'source_logits',
        'source_label',
        'target_logits',
    ),
    'bnm': ('target_logits',),
    'snd': ('target_logits',),
    'mixval': ('mixed_logits', 'mixed_label', 'mixed_same'),
    'mixval_intra': ('mixed_logits', 'mixed_label', 'mixed_same'),
    'mixval_inter': ('mixed_logits', 'mixed_label', 'mixed_same'),
}


def _evidence(**changes):
    """Evidence of two source, two target and two mixed images."""
    evidence = selection.Evidence(
        source_logits=np.array([[2.0, 1], [0, 1]], np.float32),
        source_label=np.array([0, 0]),
        source_weight=np.ones(2),
        target_logits=100 * np.eye(2, dtype=np.float32),
        mixed_logits=np.eye(2, dtype=np.float32),
        mixed_label=np.array([0, 1]),
        mixed_same=np.array([True, False]),
    )
    changes = {name: np.asarray(value) for name, value in changes.items()}
    return evidence._replace(**changes)


def _random(seed=0, n=40, m=60, c=5):
    rng = np.random.default_rng(seed)

    def logits(count):
        return rng.normal(0, 2, (count, c)).astype(np.float32)

    source = logits(n)
    guessed = rng.random(n) < 0.4
    return selection.Evidence(
        source_logits=source,
        source_label=np.where(guessed, rng.integers(c, size=n), source.argmax(-1)),
        source_weight=rng.gamma(1, size=n),
        target_logits=logits(m),
        mixed_logits=logits(m),
        mixed_label=rng.integers(c, size=m),
        mixed_same=rng.random(m) < 0.5,
    )


def _score(name, evidence):
    return selection.VALIDATORS[name](evidence)


def test_target_labels_are_no_evidence():
    assert selection.Evidence._fields == (
        'source_logits',
        'source_label',
        'source_weight',
        'target_logits',
        'mixed_logits',
        'mixed_label',
        'mixed_same',
    )
    assert selection.VALIDATORS.keys() == FIELDS_USED.keys()


@pytest.mark.parametrize('name', FIELDS_USED)
def test_a_validator_looks_at_nothing_else(name):
    one, other = _random(0), _random(5)
    same = {field: getattr(one, field) for field in FIELDS_USED[name]}
    assert _score(name, other._replace(**same)) == _score(name, one)
    for field in FIELDS_USED[name]:
        changed = one._replace(**{field: getattr(other, field)})
        assert _score(name, changed) != _score(name, one), field


def test_the_fixed_validator_and_source_validation_by_hand():
    result = selection.score(_evidence())
    assert result['source_validation'] == 0.5
    assert abs(result['information_maximization'] - np.log(2)) < 1e-6
    assert result.keys() == selection.VALIDATORS.keys()


def test_the_temperature_by_hand_and_its_limits():
    # Margin 2, three of four correct: sigmoid(2 / T) = 3 / 4.
    logits, label = np.array([[2.0, 0]] * 4), np.array([0, 0, 0, 1])
    assert selection.temperature(logits, label) == pytest.approx(2 / np.log(3), 1e-5)
    assert selection.temperature(100 * logits, label) == pytest.approx(20)
    assert selection.temperature(logits / 100, label) == pytest.approx(0.05)
    # Worse than a guess: as flat as allowed. All correct: not identified.
    assert selection.temperature(logits, 1 - label) == pytest.approx(20)
    assert np.isnan(selection.temperature(logits, np.zeros(4, int)))


@pytest.mark.parametrize('factor', [0.5, 2.0, 4.0, 8.0])
def test_the_scale_of_logits_changes_nothing_once_they_are_calibrated(factor):
    one = _random()
    scaled = one._replace(
        source_logits=factor * one.source_logits,
        target_logits=factor * one.target_logits,
    )
    for name, moves in (
        (selection.FIXED, False),
        ('information_maximization', True),
    ):
        difference = abs(_score(name, scaled) - _score(name, one))
        assert (difference > 0.05) == moves and (moves or difference < 1e-5)


def test_what_cannot_be_calibrated_has_no_fixed_score():
    assert np.isnan(_score(selection.FIXED, _evidence(source_label=[0, 1])))


def test_iwcv_weighs_each_source_image():
    # Correct on the first image, which is three times as likely in the target.
    assert _score('iwcv', _evidence(source_weight=[0.9, 0.3])) == pytest.approx(0.75)
    # Only the ratios of the weights count.
    assert _score('iwcv', _evidence(source_weight=[9.0, 3.0])) == pytest.approx(0.75)


def test_dev_by_hand():
    # Losses 0 and 1, weights 2 and 1: w l = (0, 1), cov(w l, w) = -1/2, var w = 1/2,
    # eta = 1, risk 1/2 + 3/2 - 1 = 1.
    assert _score('dev', _evidence(source_weight=[2.0, 1.0])) == pytest.approx(-1)


def test_dev_is_its_regression_at_mean_weight_one():
    """The control variate: the regression line of w l over w, at w = 1."""
    evidence = _random()
    weight = evidence.source_weight
    wrong = evidence.source_logits.argmax(-1) != evidence.source_label
    slope, intercept = np.polyfit(weight, weight * wrong, 1)
    assert _score('dev', evidence) == pytest.approx(-(slope + intercept), rel=1e-9)


@pytest.mark.parametrize('weight', [1.0, 2.0])
def test_dev_of_equal_weights_is_the_weighted_error(weight):
    result = _score('dev', _evidence(source_weight=[weight, weight]))
    assert result == pytest.approx(-weight / 2)


@pytest.mark.parametrize('name', ['iwcv', 'dev'])
def test_weights_that_are_all_zero_are_no_evidence(name):
    assert np.isnan(_score(name, _evidence(source_weight=[0.0, 0.0])))


def test_entropy_is_highest_for_confident_predictions():
    even = _score('entropy', _evidence(target_logits=np.zeros((3, 4), np.float32)))
    assert even == pytest.approx(-np.log(4), rel=1e-6)
    assert _score('entropy', _evidence()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('counts', [(1, 1), (3, 1), (4, 0)])
def test_bnm_of_one_hot_rows_is_the_sum_of_roots_of_class_counts(counts):
    # P'P is diagonal with the counts: the singular values are their roots.
    logits = 100 * np.eye(2)[np.repeat([0, 1], counts)]
    expected = np.sqrt(counts).sum() / sum(counts)
    assert _score('bnm', _evidence(target_logits=logits)) == pytest.approx(expected)


def test_snd_of_three_images_by_hand():
    # Two equal images and one of another class. Each of the pair has similarity 1 to
    # its twin and 0 to the third: odds 1 to exp(-20). The third has 0 to both.
    logits = 100 * np.eye(2)[[0, 0, 1]]
    q = np.exp(-20) / (1 + np.exp(-20))
    pair = -q * np.log(q) - (1 - q) * np.log1p(-q)
    expected = (2 * pair + np.log(2)) / 3
    result = _score('snd', _evidence(target_logits=logits))
    assert result == pytest.approx(expected, rel=1e-5)


def test_snd_against_a_loop():
    logits = _random().target_logits.astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    f = p / np.sqrt((p**2).sum(1, keepdims=True))
    entropies = []
    for i in range(len(f)):
        others = [np.exp(f[i] @ f[j] / 0.05) for j in range(len(f)) if j != i]
        q = np.array(others) / sum(others)
        entropies.append(-np.sum(q * np.log(q)))
    result = _score('snd', _random())
    assert result == pytest.approx(np.mean(entropies), rel=1e-5)


def test_mixval_is_the_mean_of_its_probes():
    evidence = _evidence(
        mixed_logits=np.eye(2)[[0, 0, 1, 1, 0, 1]],
        mixed_label=[0, 1, 1, 0, 0, 1],
        mixed_same=[True, True, False, False, False, False],
    )
    assert _score('mixval_intra', evidence) == 0.5
    assert _score('mixval_inter', evidence) == 0.75
    assert _score('mixval', evidence) == 0.625


def test_mixval_of_a_collapse_is_not_the_best():
    """If only one class is predicted, there is no boundary to probe."""
    evidence = _evidence(
        mixed_logits=np.eye(2)[[0, 0]], mixed_label=[0, 0], mixed_same=[True, True]
    )
    assert _score('mixval_intra', evidence) == 1
    assert _score('mixval', evidence) == 0.5


@pytest.mark.parametrize('name', FIELDS_USED)
def test_the_order_of_images_does_not_matter(name):
    evidence = _random()
    rng = np.random.default_rng(3)
    orders = {
        part: rng.permutation(len(getattr(evidence, f'{part}_logits')))
        for part in ('source', 'target', 'mixed')
    }
    permuted = selection.Evidence(
        **{
            field: array[orders[field.partition('_')[0]]]
            for field, array in evidence._asdict().items()
        }
    )
    assert _score(name, permuted) == pytest.approx(_score(name, evidence), abs=1e-6)


DEGENERATE = {
    'one image each': _random(n=1, m=1),
    'few images, more classes': _random(n=3, m=2, c=7),
    'one class predicted': _random()._replace(
        target_logits=np.tile(np.float32([50, 0, 0, 0, 0]), (60, 1)),
        mixed_label=np.zeros(60, int),
        mixed_same=np.ones(60, bool),
    ),
    'the least finite logit': _random()._replace(
        target_logits=np.tile(
            np.float32([0, -1, -2, -3, np.finfo(np.float32).min]), (60, 1)
        )
    ),
    'no mixed images': _random()._replace(
        mixed_logits=np.zeros((0, 5), np.float32),
        mixed_label=np.zeros(0, int),
        mixed_same=np.zeros(0, bool),
    ),
}


@pytest.mark.parametrize('evidence', DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize('name', FIELDS_USED)
def test_poor_evidence_has_a_score(name, evidence):
    correct = evidence.source_logits.argmax(-1) == evidence.source_label
    uncalibrated = name == selection.FIXED and np.all(correct)
    assert np.isfinite(_score(name, evidence)) != uncalibrated


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_nan_evidence_gives_nan_and_no_error():
    evidence = _random()
    spoilt = evidence._replace(
        target_logits=np.full_like(evidence.target_logits, NAN),
        source_weight=np.full_like(evidence.source_weight, NAN),
    )
    result = selection.score(spoilt)
    assert np.isnan(result['bnm']) and np.isnan(result['dev'])
    assert result['mixval'] == _score('mixval', evidence)
