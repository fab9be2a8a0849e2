"""The hook of a run: at which steps it asks to be called."""

import contextlib
import signal

import pytest

from transfer_jax.runs import hook, recorder


@pytest.fixture
def run_hook(tiny, tmp_path):
    """make(stop, steps, evaluations) -> a hook of a run of one stage."""
    with contextlib.ExitStack() as stack:

        def make(stop, steps, evaluations):
            (stage,) = tiny().stages[:1]
            stage = stage._replace(steps=steps)
            experiment = tiny(stages=(stage,), evaluations=evaluations)
            run = recorder.StageRun(
                experiment, stage, 0, None, tmp_path, tmp_path / 'checkpoints'
            )
            own = hook.RunHook({0: run}, stop, 'title', quiet=True)
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
