"""Early stopping: after how many evaluations, and with which bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import training
from transfer_jax.training import optim, stopping

KEY = jax.random.key(0)
TX = optim.sgd(optim.constant(1.0), momentum=0.0)


class Stream:
    def __getitem__(self, t):
        return {'t': np.float32(t)}


def _init(key, batch):
    return training.state.create({'w': jnp.zeros(3)}, {'w': {}}, {'w': TX})


def _loss(state, batch, key):
    """Its step adds 1 to every weight: after step t they are t."""
    return -jnp.sum(state.params['w']), training.Aux({})


METHOD = training.Method(
    _init, training.make_step([training.Phase('p', _loss, ('w',))], {'w': TX}), None
)


def _fit(losses, *, every=2, patience=2, steps=40):
    """Validation losses are read from a list by evaluation."""
    values = iter(losses)
    best = stopping.EarlyStopping(
        lambda state: next(values), every=every, patience=patience
    )
    state = stopping.fit_until_best(
        METHOD, _init(KEY, {}), Stream(), best, key=KEY, steps=steps
    )
    return state, best


def test_it_stops_after_patience_evaluations_and_restores_the_best(same_bits):
    # Evaluations at steps 2, 4, 6, ...: the best at 4; 6 ties and 8 is worse.
    state, best = _fit([3.0, 1.0, 1.0, 2.0])
    assert [step for step, _ in best.losses] == [2, 4, 6, 8]
    assert (best.step, best.loss, int(state.step)) == (4, 1.0, 4)
    first = _init(KEY, {})
    same_bits(training.fit(METHOD, first, Stream(), key=KEY, steps=4), state)
    again = training.fit(METHOD, state, Stream(), key=KEY, steps=6, start=4)
    np.testing.assert_array_equal(again.params['w'], 6.0)


def test_a_better_one_renews_the_patience():
    state, best = _fit([3.0, 4.0, 2.0, 4.0, 5.0])
    assert len(best.losses) == 5 and best.step == 6
    np.testing.assert_array_equal(state.params['w'], 6.0)


def test_without_a_stop_the_best_of_all_steps_is_given():
    state, best = _fit([5.0, 4.0, 3.0, 3.5], steps=9)
    assert len(best.losses) == 4
    np.testing.assert_array_equal(state.params['w'], 6.0)


def test_a_loss_that_is_no_number_is_no_best():
    state, best = _fit([float('nan'), 2.0, float('nan'), float('nan')])
    assert best.step == 4
    with pytest.raises(ValueError, match='no finite validation loss'):
        _fit([float('nan')] * 2)


def test_what_is_not_positive_is_refused():
    with pytest.raises(ValueError, match='patience=0'):
        stopping.EarlyStopping(lambda state: 0.0, every=1, patience=0)
