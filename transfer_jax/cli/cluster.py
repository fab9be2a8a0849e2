"""Tasks of a job array on a cluster, by submitit.

A task is a callable that submitit pickles, and its arguments. Tasks share files and
nothing else. A task that the cluster stops, for its time or for other jobs, is queued
again if it has a method `checkpoint`.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence

from transfer_jax.training import log

Failures = dict[pathlib.Path, str]  # {run folder: why the run failed}
KINDS = ('slurm', 'local', 'debug')  # debug: in this process, one after another
FIRST = ('slurm_max_num_timeout', 'local_max_num_timeout')
POLL_S = 5.0


def run(
    task: Callable[..., Failures],
    arguments: Mapping[str, Sequence],
    folder: pathlib.Path,
    *,
    kind: str,
    options: Sequence[str] = (),
) -> Failures:
    """Submits a task for each set of arguments, waits, and returns what failed.

    Args:
      task: called with one set of arguments; returns its failed runs.
      arguments: {name of the task in messages: its arguments}.
      folder: for the output of the tasks, in its subfolder tasks/.
      kind: one of KINDS.
      options: NAME=VALUE for submitit.

    Returns:
      {run folder: reason}. For a task that died: its output folder, and the last line
      of its error.

    Raises:
      ValueError: submitit is not installed, or a kind or option that it does not take.
    """
    if kind not in KINDS:
        raise ValueError(f'no cluster {kind!r}; choose from {", ".join(KINDS)}')
    try:
        import submitit
    except ImportError:
        raise ValueError(
            "submitit is not installed: pip install -e '.[cluster]'"
        ) from None
    parameters = dict(map(_option, options))
    # Submitit takes these when an executor is made, the others later.
    first = {name: parameters.pop(name) for name in FIRST if name in parameters}
    executor = submitit.AutoExecutor(
        folder / 'tasks', cluster=None if kind == 'slurm' else kind, **first
    )
    try:
        executor.update_parameters(name='sweep', **parameters)
    except (NameError, TypeError) as error:
        raise ValueError(f'--cluster-options: {error}') from None
    if not arguments:
        return {}
    jobs = executor.map_array(task, *zip(*arguments.values(), strict=True))
    log.console.print(
        f'{len(jobs)} tasks submitted; their output is in {folder / "tasks"}',
        soft_wrap=True,
    )
    return _collect(dict(zip(jobs, arguments, strict=True)), folder)


def _collect(jobs: Mapping, folder: pathlib.Path) -> Failures:
    """Waits for the jobs {job: name} and prints how each ended."""
    from submitit.helpers import as_completed

    failed: Failures = {}
    for count, job in enumerate(as_completed([*jobs], poll_frequency=POLL_S), 1):
        name = jobs[job]
        try:
            of_task = job.result()
        except Exception as error:  # the task raised, or died: killed, out of time
            of_task = {folder / 'tasks' / job.job_id: f'{name}: {_reason(error, job)}'}
        failed |= of_task
        state = 'failed' if of_task else 'finished'
        log.console.print(f'{name} {state}: {count} of {len(jobs)}', highlight=False)
    return failed


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
