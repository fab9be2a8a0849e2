"""The command line of an experiment: flags, run folder, errors."""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Generic, Literal, NoReturn, TypeVar

import jax
import tyro

from transfer_jax import runs
from transfer_jax.cli import allocator, arithmetic, compilation_cache, distributed
from transfer_jax.data import files
from transfer_jax.reports import study_tables
from transfer_jax.training import checkpoint, log, on_device, parallel, profiling

Config = TypeVar('Config')


@dataclasses.dataclass(frozen=True)
class Flags(Generic[Config]):
    """The flags of an experiment."""

    config: Config
    """What is run. It decides the result."""
    run_dir: pathlib.Path | None = None
    """Folder of the run. Default: runs/EXPERIMENT/TASK-DIGEST_OF_THE_CONFIG, so that
    the same command resumes the same run."""
    data_dir: str | None = None
    """Data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
    profile: bool = False
    """Write a trace of ten steps to the run folder, for TensorBoard or Perfetto, and
    print what costs most."""
    distributed: str = ''
    """Train in several processes: auto on SLURM and TPU pods, else HOST:PORT of process
    0. All of them need the same run folder."""
    processes: int | None = None
    """Number of processes, where the cluster does not give it."""
    process: int | None = None
    """Which of them this is, from 0."""
    data_on_device: Literal[on_device.CHOICES] = 'auto'
    """Whether the training data lies on the device, where each step makes its batch.
    auto: on an accelerator, if it takes at most half of the memory."""
    seeds_together: int | None = None
    """Seeds that train at the same time, 0 for all. Default: all on an accelerator, 1
    on CPU."""
    compute: arithmetic.Field = arithmetic.Flags()
    debug: bool = False
    """Show the traceback of an error."""


def main(
    config: type[Config],
    build: Callable[[Config], runs.Experiment | runs.Study],
) -> None:
    """The command line of an experiment: flags in, a run folder and a table out.

    Its name and its help are those of the module that defines the config.
    """
    module = sys.modules[config.__module__]
    flags = tyro.cli(
        Flags[config], prog=program(module), description=module.__doc__ or ''
    )
    with errors(flags.debug), files.searched(flags.data_dir):
        allocator.retain_freed()
        arithmetic.prepare(flags.compute)
        distributed.start(flags.distributed, flags.processes, flags.process)
        compilation_cache.enable()
        check_config(flags.config)
        experiment = build(flags.config)
        run_dir = flags.run_dir or default_folder(experiment)
        arithmetic.apply(flags.compute)
        execute(
            experiment,
            run_dir,
            flags.data_dir,
            profile=flags.profile,
            data_on_device=flags.data_on_device,
            seeds_together=flags.seeds_together,
        )


def execute(
    experiment: runs.Experiment | runs.Study,
    run_dir: pathlib.Path,
    data_dir: str | None = None,
    *,
    profile: bool = False,
    data_on_device: str = 'auto',
    seeds_together: int | None = None,
) -> dict:
    """Runs an experiment, writes its report, and prints its table and their paths.

    Args:
      profile: traces ten steps, and prints what costs most.
      data_on_device: see runs.run, for a training.
      seeds_together: `together` of runs.run.
    """
    # matplotlib: only when there is something to draw
    from transfer_jax.reports import run_report, study_report

    if isinstance(experiment, runs.Study):
        given = {
            '--profile': profile,
            '--distributed': jax.process_count() > 1,
            '--data-on-device': data_on_device != 'auto',
            '--seeds-together': seeds_together is not None,
        }
        for flag in [name for name, is_given in given.items() if is_given]:
            raise ValueError(f'{flag} is for trainings; this experiment is a study')
        result, prepared = runs.run_study(experiment, run_dir, data_dir=data_dir)
        log.console.print(study_tables.text(result), soft_wrap=True, markup=False)
        path = study_report.write(experiment, run_dir, result, prepared)
    else:
        hooks = [profiling.Trace(run_dir / 'profile')] if profile else []
        result = runs.run(
            experiment,
            run_dir,
            data_dir=data_dir,
            hooks=hooks,
            data_on_device=data_on_device,
            together=seeds_together,
        )
        if not parallel.is_first():
            return result
        for hook in hooks:
            log.console.print(hook.summary(), soft_wrap=True, markup=False)
        log.console.print(run_report.text_table([result]), soft_wrap=True)
        path = run_report.write(experiment, run_dir, data_dir)
    log.console.print(f'report: {path}', soft_wrap=True)
    return result


def default_folder(
    experiment: runs.Experiment | runs.Study,
    root: pathlib.Path = pathlib.Path('runs'),
) -> pathlib.Path:
    """runs/EXPERIMENT/TASK-DIGEST, the same for the same config."""
    fields = json.dumps(dataclasses.asdict(experiment.config), sort_keys=True)
    digest = hashlib.sha256(fields.encode()).hexdigest()[:8]
    task = ''.join(c if c.isalnum() or c in '_-' else '_' for c in experiment.task)
    return root / experiment.name / f'{task}-{digest}'


def configs_equal(one: Config, other: Config) -> bool:
    """Whether two configs are equal; an array in one of them equals nothing.

    Within a trace the numbers of a config may be arrays (runs.grouping), and `==` would
    ask what they are.
    """
    for field in dataclasses.fields(one):
        values = getattr(one, field.name), getattr(other, field.name)
        if any(isinstance(value, jax.Array) for value in values):
            return False
        if values[0] != values[1]:
            return False
    return True


def check_config(config: object) -> None:
    """Refuses values that no experiment can run with.

    Raises:
      ValueError: no seeds or steps, a batch of one, a rate that is not positive, a
        negative weight, or a number that is not finite.
    """
    lowest = {'seeds': 1, 'steps': 1, 'batch': 2, 'evaluations': 1}
    lowest |= {'weight': 0, 'strength': 0}
    for field in dataclasses.fields(config):
        name, value = field.name, getattr(config, field.name)
        if not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise ValueError(f'{name} is {value}: give a finite number')
        if name in lowest and value < lowest[name]:
            raise ValueError(f'{name} is {value}: give {lowest[name]} or more')
        if (name == 'rate' or name.endswith('_rate')) and not value > 0:
            raise ValueError(f'{name} is {value}: give a positive learning rate')


@contextlib.contextmanager
def command(
    kind: type[Config], description: str | None, args: Sequence[str] | None
) -> Iterator[Config]:
    """The flags of a tool, such as experiments.predict, while it runs.

    Args:
      kind: a dataclass with a field `debug`.
      args: None: those of the command line.
    """
    prog = program(sys.modules['__main__'])
    flags = tyro.cli(kind, prog=prog, description=description, args=args)
    with errors(flags.debug):
        allocator.retain_freed()
        compilation_cache.enable()
        yield flags


@contextlib.contextmanager
def errors(debug: bool) -> Iterator[None]:
    """Shows an error that a user can cause in one line, and exits with its code.

    Warnings take one line too.
    """
    shown = warnings.showwarning
    if not debug:
        warnings.showwarning = _show_warning
    try:
        yield
    except runs.Interrupted as stop:
        _leave(str(stop), 128 + stop.number)
    except KeyboardInterrupt:
        _leave('stopped; start the same command again to go on', 130)
    except (checkpoint.CheckpointError, runs.NonFiniteError) as error:
        if debug:
            raise
        _leave(f'error: {error}', 1)
    except ValueError as error:
        if debug:
            raise
        _leave(f'error: {error}', 2)
    except jax.errors.JaxRuntimeError as error:
        if debug or jax.process_count() == 1:
            raise
        log.console.print(
            f'error: process {jax.process_index()} lost another one '
            f'({str(error).splitlines()[0]}); start all of them again to go on from '
            'the last checkpoint',
            soft_wrap=True,
            markup=False,
        )
        os._exit(1)  # the usual way out waits for the one that is gone
    finally:
        warnings.showwarning = shown


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """In place of warnings.showwarning: without the line of code."""
    del category, filename, lineno, file, line
    log.console.print(f'warning: {message}', soft_wrap=True, markup=False)


def _leave(message: str, code: int) -> NoReturn:
    log.console.print(message, soft_wrap=True, markup=False)
    sys.exit(code)


def program(module: ModuleType) -> str:
    """The command that runs a module: 'python -m NAME', or 'python FILE'."""
    spec = getattr(module, '__spec__', None)
    if spec is not None:
        return f'python -m {spec.name.removesuffix(".__main__")}'
    return f'python {getattr(module, "__file__", None) or "-"}'
