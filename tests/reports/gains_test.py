"""What a gain is over: the same network without a loss on the target."""

import pytest

from transfer_jax import runs
from transfer_jax.reports import gains

NUMBER = {'target_test': {'percent': True}}


def _result(method, last, norm, network=None, baseline=False, steps=100, training=''):
    mean = {'target_test': {'mean': last}}
    return {
        'method': method,
        'experiment': 'adaptation.digits',
        'config': {},
        'compared': runs.Compared(norm, network or norm, training, baseline)._asdict(),
        'seeds': [0, 1],
        'numbers': NUMBER,
        'steps': {'last': [steps, steps]},
        'scores': {'last': mean, 'oracle': {'target_test': {'mean': last + 0.1}}},
    }


# USPS -> MNIST: accuracies at the last step of six runs, by their batch norm.
SOURCE_ONLY = _result('source_only', 0.527, 'none', baseline=True)
ADABN = _result('adabn', 0.685, 'adabn', 'separate', baseline=True)
SOURCE_NORM = _result('source_norm', 0.465, 'source', baseline=True)
CEILING = _result('train_on_target', 0.965, 'none')
AUTODIAL = _result('autodial', 0.665, 'autodial', 'separate')
MCC = _result('mcc', 0.938, 'separate')
PLAIN = _result('mcc', 0.791, 'none')
JOINT = _result('mcc', 0.8, 'joint')
ALL = [SOURCE_ONLY, ADABN, SOURCE_NORM, CEILING, AUTODIAL, MCC, PLAIN, JOINT]


@pytest.mark.parametrize(
    'result, points, share',
    [
        (AUTODIAL, 0.665 - 0.685, None),  # not 0.665 - 0.527
        (MCC, 0.938 - 0.685, None),  # train on target has another network
        (PLAIN, 0.791 - 0.527, (0.791 - 0.527) / (0.965 - 0.527)),
        (JOINT, None, None),  # without a baseline of its network
        (SOURCE_ONLY, None, None),
        (ADABN, None, None),  # a baseline has no gain over another network
        (CEILING, None, None),
    ],
    ids=['autodial', 'separate', 'none', 'joint', 'source only', 'adabn', 'ceiling'],
)
def test_a_gain_compares_equal_networks(result, points, share):
    gain = gains.gain(result, ALL, 'target_test')
    assert gain.points == (None if points is None else pytest.approx(points))
    assert gain.share == (None if share is None else pytest.approx(share))


def test_the_baseline_is_given_for_every_rule():
    gain = gains.gain(MCC, ALL, 'target_test')
    assert gain.baseline == pytest.approx({'last': 0.685, 'oracle': 0.785})
    assert gains.gain(JOINT, ALL, 'target_test') == gains.NONE


def test_without_the_baseline_of_its_network_there_is_no_gain():
    rest = [result for result in ALL if result is not ADABN]
    assert gains.gain(MCC, rest, 'target_test') == gains.NONE
    ceiling = _result('train_on_target', 0.98, 'separate')
    share = gains.gain(MCC, [*ALL, ceiling], 'target_test').share
    assert share == pytest.approx((0.938 - 0.685) / (0.98 - 0.685))


def test_a_result_that_says_nothing_is_compared_by_method_and_norm():
    plain = {**PLAIN, 'compared': None, 'config': {'norm': 'joint'}}
    assert gains.compared(plain) == runs.Compared('joint', 'joint', '', False)
    for method in gains.BASELINES:
        nothing = {'method': method, 'config': {}}
        assert gains.compared(nothing) == runs.Compared('', '', '', True)
