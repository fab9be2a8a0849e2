"""Training in several processes: jax.distributed, from the command line."""

import jax

# Seconds after which a silent process counts as dead; and for which those that are
# done wait for the one that writes the report.
HEARTBEAT, LEAVING = 20, 600


def start(where: str, processes: int | None = None, process: int | None = None) -> None:
    """Join the processes of a run; must come before anything is computed.

    Args:
      where: 'auto' where the cluster says it (SLURM, TPU pods, Open MPI), or
        HOST:PORT of process 0.
      processes: how many there are, where it is not the cluster that says it.
      process: which of them this is, from 0.

    Raises:
      ValueError: a flag is missing, or the others cannot be reached.
    """
    if not where:
        if processes is not None or process is not None:
            raise ValueError('--processes and --process need --distributed HOST:PORT')
        return
    given = {}
    if where != 'auto':
        if ':' not in where or processes is None or process is None:
            raise ValueError(
                f'--distributed {where}: give HOST:PORT of process 0, --processes and '
                "--process, or 'auto' on a cluster that says them"
            )
        if not 0 <= process < processes:
            raise ValueError(f'--process {process}: from 0 to {processes - 1}')
        given = {
            'coordinator_address': where,
            'num_processes': processes,
            'process_id': process,
        }
    try:
        jax.distributed.initialize(
            **given,
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=LEAVING,
        )
    except (RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f'--distributed {where}: {reason}') from error
