"""The hook of a run: at which steps it asks to be called."""

import contextlib
import signal

import numpy as np
import pytest

from transfer_jax.runs import hook, recorder


@pytest.fixture
def run_hook(tiny, tmp_path):
    """make(stop, steps, evaluations, chunk) -> a hook of a run of one stage."""
    with contextlib.ExitStack() as stack:

        def make(stop, steps, evaluations, chunk=1):
            (stage,) = tiny().stages[:1]
            stage = stage._replace(steps=steps)
            experiment = tiny(stages=(stage,), evaluations=evaluations)
            run = recorder.StageRun(
                experiment, stage, 0, None, tmp_path, tmp_path / 'checkpoints'
            )
            own = hook.RunHook({0: run}, stop, 'title', quiet=True, chunk=chunk)
            return stack.enter_context(contextlib.closing(own))

        yield make


def _due(run_hook, steps):
    """All steps at which the hook is called."""
    due = []
    while not due or due[-1] < steps:
        due.append(run_hook.next_due(due[-1] if due else 0))
    return due


def test_rows_and_evaluations_are_due(run_hook):
    """Every 20 steps a row of metrics; 3 evaluations of 50 steps at 16.7, 33.3, 50."""
    own = run_hook(hook.StopSignal(), 50, 3)
    assert _due(own, 50) == [17, 20, 33, 40, 50]
    # The same from every step on the way, as after a restart
    assert [own.next_due(step) for step in (1, 16, 17, 19, 34, 49)] == [
        *(17, 17, 20, 20, 40, 50)
    ]


def test_a_short_stage_has_no_more_evaluations_than_steps(run_hook):
    assert _due(run_hook(hook.StopSignal(), 4, 20), 4) == [1, 2, 3, 4]


def test_a_run_with_no_evaluation_but_the_last_one(run_hook):
    assert _due(run_hook(hook.StopSignal(), 30, 0), 30) == [20, 30]


def test_after_a_signal_the_next_step_is_due(run_hook):
    stop = hook.StopSignal()
    own = run_hook(stop, 50, 3)
    assert own.next_due(21) == 33
    stop.received = signal.SIGTERM
    assert own.next_due(21) == 22


def test_rows_are_fetched_once_a_chunk_where_steps_are_fast(run_hook, monkeypatch):
    """100 steps of 1 ms are a chunk; of 1 s, rows come every 20 steps."""
    own = run_hook(hook.StopSignal(), 1000, 1, chunk=100)
    clock = [0.0]
    monkeypatch.setattr(hook.time, 'monotonic', lambda: clock[0])
    own._fetched = 0.0
    assert own.next_due(0) == 20  # nothing is known yet
    for seconds, step, due in [(0.001, 20, 100), (0.001, 100, 200), (1.0, 200, 220)]:
        taken = 20 if step == 20 else 100
        clock[0] += seconds * taken
        own(step, None, {'a/loss': np.ones(taken)})
        assert own.next_due(step) == due
