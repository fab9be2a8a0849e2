"""A sweep over many machines: every group a task of a job array, by submitit.

A task is the same sweep, of one group. Tasks share the folder of runs and nothing else:
each writes its own run folders, whole or not at all, so that a task that was killed is
started again by starting the sweep again.
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from transfer_jax.training import log

if TYPE_CHECKING:
    from experiments.sweep import Command

KINDS = ('slurm', 'local', 'debug')  # debug: in this process, one after another


def run(command: 'Command', tasks: int, place: pathlib.Path) -> dict[pathlib.Path, str]:
    """Submit, wait, and say which runs failed: {folder: why}.

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
    executor = submitit.AutoExecutor(
        place / 'tasks', cluster=None if command.cluster == 'slurm' else command.cluster
    )
    try:
        executor.update_parameters(
            name='sweep', **dict(map(_option, command.cluster_options))
        )
    except (NameError, TypeError) as error:
        raise ValueError(f'--cluster-options: {error}') from None
    own = dataclasses.replace(command, cluster='', cluster_options=())
    jobs = executor.map_array(_task, [own] * tasks, range(tasks))
    log.console.print(
        f'{tasks} tasks submitted; their output is in {place / "tasks"}', soft_wrap=True
    )
    failed: dict[pathlib.Path, str] = {}
    for number, job in enumerate(jobs):
        try:
            failed |= job.result()
        except Exception as error:  # the task died: out of time, or killed
            lines = str(error).strip().splitlines() or [type(error).__name__]
            failed[place / 'tasks' / job.job_id] = f'group {number + 1}: {lines[-1]}'
    return failed


def _task(command: 'Command', number: int) -> dict[pathlib.Path, str]:
    """One group of the sweep."""
    from experiments import programs, sweep

    programs.keep()
    plan = sweep.groups(sweep.load(command.page), command)
    return sweep.run([plan[number]], command)


def _option(text: str) -> tuple[str, object]:
    name, equals, value = text.partition('=')
    if not equals:
        raise ValueError(f'--cluster-options {text!r}: write NAME=VALUE')
    return name, int(value) if value.isdigit() else value
