"""A sweep over many machines: every group a task of a job array, by submitit.

A task is the same sweep, of one group. Tasks share the folder of runs and nothing else:
each writes its own run folders, whole or not at all, so that a task that was killed is
started again by starting the sweep again. A task that the cluster stops, for its time
or for other jobs, is put into the queue once more and goes on from its checkpoints.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from transfer_jax.training import log

if TYPE_CHECKING:
    from experiments.sweep import Command

KINDS = ('slurm', 'local', 'debug')  # debug: in this process, one after another
FIRST = ('slurm_max_num_timeout', 'local_max_num_timeout')
POLL_S = 5.0


def run(
    command: 'Command', numbers: Sequence[int], place: pathlib.Path
) -> dict[pathlib.Path, str]:
    """Submit the groups of these numbers, wait, and say which runs failed.

    Returns:
      {folder: why}. Of a task that died: its output, and the last line of its error.

    Raises:
      ValueError: submitit is not installed, or a flag that it does not take.
    """
    if command.cluster not in KINDS:
        raise ValueError(
            f'no cluster {command.cluster!r}; choose from {", ".join(KINDS)}'
        )
    try:
        import submitit
    except ImportError:
        raise ValueError(
            "submitit is not installed: pip install -e '.[cluster]'"
        ) from None
    options = dict(map(_option, command.cluster_options))
    # Submitit takes these when an executor is made, the others later.
    first = {name: options.pop(name) for name in FIRST if name in options}
    executor = submitit.AutoExecutor(
        place / 'tasks',
        cluster=None if command.cluster == 'slurm' else command.cluster,
        **first,
    )
    try:
        executor.update_parameters(name='sweep', **options)
    except (NameError, TypeError) as error:
        raise ValueError(f'--cluster-options: {error}') from None
    if not numbers:
        return {}
    own = dataclasses.replace(command, cluster='', cluster_options=())
    jobs = executor.map_array(Task(), [own] * len(numbers), numbers)
    log.console.print(
        f'{len(jobs)} tasks submitted; their output is in {place / "tasks"}',
        soft_wrap=True,
    )
    return _collect(dict(zip(jobs, numbers, strict=True)), place)


def _collect(jobs: dict, place: pathlib.Path) -> dict[pathlib.Path, str]:
    """Wait for the jobs {job: number of its group} and say how each ended."""
    from submitit.helpers import as_completed

    failed: dict[pathlib.Path, str] = {}
    for count, job in enumerate(as_completed([*jobs], poll_frequency=POLL_S), 1):
        name = f'group {jobs[job] + 1}'
        try:
            of_task = job.result()
        except Exception as error:  # the task raised, or died: killed, out of time
            of_task = {place / 'tasks' / job.job_id: f'{name}: {_reason(error, job)}'}
        failed |= of_task
        state = 'failed' if of_task else 'finished'
        log.console.print(f'{name} {state}: {count} of {len(jobs)}', highlight=False)
    return failed


class Task:
    """One group of the sweep, as submitit calls it and, when it is stopped, again."""

    def __call__(self, command: 'Command', number: int) -> dict[pathlib.Path, str]:
        """{run of the group that failed: why}."""
        from experiments import memory, programs, sweep

        memory.keep()
        programs.keep()
        plan = sweep.groups(sweep.load(command.page), command)
        return sweep.run([plan[number]], command)

    def checkpoint(self, *args):
        """What the queue gets when the task is stopped: the same; the runs go on."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *args)


def _reason(error: Exception, job) -> str:
    """Why there is no result of a job, in one line."""
    from submitit.core.utils import FailedJobError

    if not isinstance(error, FailedJobError):
        return f'it ended without a result; the cluster says {job.state}'
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1]


def _option(text: str) -> tuple[str, object]:
    name, equals, value = text.partition('=')
    if not equals:
        raise ValueError(f'--cluster-options {text!r}: write NAME=VALUE')
    return name, int(value) if value.isdigit() else value
