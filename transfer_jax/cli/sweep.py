"""Runs every config of an experiment's sweep(), or of a grid; skips finished ones.

    python -m experiments.sweep experiments.adaptation.dann
    python -m experiments.sweep experiments.adaptation.digits \
        --grid config.method=dann,mcc --grid config.rate=3e-4,1e-3,3e-3
    python -m experiments.sweep experiments.adaptation.digits \
        --only config.protocol=adda

Configs that differ only in traced numbers (the experiment's TRACED: rates, weights)
share one compiled program. On an accelerator they train at the same time, on CPU one
after another. Each has the run folder of its own command and resumes from it. The
report of the sweep is in RUN_ROOT/EXPERIMENT/sweep-DIGEST: report.html, table.csv,
table.tex, figures/.
"""

import dataclasses
import hashlib
import importlib
import pathlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Annotated

import jax
import tyro

from transfer_jax import runs
from transfer_jax.cli import (
    allocator,
    arithmetic,
    cluster,
    compilation_cache,
    grid,
    launch,
    sweep_state,
)
from transfer_jax.reports import run_report, sweep_report
from transfer_jax.runs import folder, grouping, vectorised
from transfer_jax.training import parallel


@dataclasses.dataclass(frozen=True)
class Command:
    """Runs a sweep; the same command resumes it."""

    experiment: tyro.conf.Positional[str]
    """The module of an experiment: any that can be imported and has Config, build and
    sweep. `python -m experiments` lists ours."""
    grid: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """FIELD=VALUE,VALUE: an axis of a grid, or with one value a setting. May be given
    several times; in place of the experiment's sweep()."""
    only: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """FIELD=VALUE,VALUE: of the experiment's sweep(), or of the grid, the configs with
    one of these values. May be given several times."""
    fast: bool = False
    """The grid starts from fast(), a run of seconds on generated data."""
    traced: tuple[str, ...] = ()
    """More fields, beside TRACED, that may differ within one program."""
    together: int | None = None
    """Runs that train at the same time. Default: all of a group on an accelerator, 1 on
    CPU; 0 is all of a group."""
    how: str = ''
    """vmap, vmap_patches, unroll or scan, for runs that train at the same time.
    Default: by device type."""
    bootstrap: bool = False
    """Tables with the 95 % bootstrap interval over seeds, not the standard
    deviation."""
    cluster: str = ''
    """slurm: each group is a task of a job array; local: a process of this machine."""
    cluster_options: tuple[str, ...] = ()
    """NAME=VALUE for submitit, such as slurm_partition=gpu timeout_min=600."""
    run_root: pathlib.Path = pathlib.Path('runs')
    """Folder of the run folders."""
    data_dir: str | None = None
    """Data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
    list: bool = False
    """Only list the runs, by group, and which are finished."""
    compute: arithmetic.Field = arithmetic.Flags()
    debug: bool = False
    """End with the traceback of the first run that fails."""


# Runs that share a program, with their folders.
Group = Sequence[vectorised.Run]


def main(args: Sequence[str] | None = None, known: Sequence[str] = ()) -> None:
    """The command in `args`, by default that of the command line.

    Args:
      known: modules that a message may suggest.
    """
    prog = launch.program(sys.modules['__main__'])
    command = tyro.cli(Command, prog=prog, description=__doc__, args=args)
    with launch.errors(command.debug):
        allocator.retain_freed()
        arithmetic.prepare(command.compute)
        module = load(command.experiment, known)
        plan = groups(module, command)
        if not command.grid:
            for line in getattr(module, 'left_out', tuple)():
                _say(f'left out: {line}')
        if command.list:
            _say(sweep_state.listed(plan))
            return
        compilation_cache.enable()
        sweep_dir = folder_of(plan, command.run_root)
        with folder.locked(sweep_dir, 'sweep folder', '--run-root'):
            if command.cluster:
                local = dataclasses.replace(command, cluster='', cluster_options=())
                failed = cluster.run(
                    Task(),
                    {f'group {n + 1}': (local, n) for n in _unfinished(plan)},
                    sweep_dir,
                    kind=command.cluster,
                    options=command.cluster_options,
                )
            else:
                failed = run(plan, command)
            members = [member for group in plan for member in group]
            _say(sweep_state.summary(member.run_dir for member in members))
            for run_folder, reason in failed.items():
                _say(f'failed: {run_folder}: {reason}')
            written = sweep_report.write(
                members, sweep_dir, failed, bootstrap=command.bootstrap
            )
            if written is not None:
                _say(f'report: {written}')
        if failed:
            sys.exit(1)


class Task:
    """One group of a sweep on a cluster. At module level: submitit pickles it by name.

    Each task writes its own run folders, whole or not at all, so a killed task is
    finished by starting the sweep again.
    """

    def __call__(self, command: Command, number: int) -> dict[pathlib.Path, str]:
        """{run folder: reason}, for the runs of group `number` that failed."""
        allocator.retain_freed()
        arithmetic.prepare(command.compute)
        compilation_cache.enable()
        plan = groups(load(command.experiment), command)
        return run([plan[number]], command)

    def checkpoint(self, *args):
        """Queues the same task again when the cluster stops it; its runs resume."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *args)


def load(name: str, known: Sequence[str] = ()) -> ModuleType:
    """The experiment of that name: a module with Config, build and sweep.

    Raises:
      ValueError: there is none of that name, or it lacks one of the three.
    """
    choices = f'; there are: {", ".join(known)}' if known else ''
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f'{name}.'.startswith(f'{error.name}.'):
            raise  # of something that it imports
        raise ValueError(f'no module {name!r}{choices}') from None
    if not (hasattr(module, 'Config') and hasattr(module, 'build')):
        raise ValueError(f'{name} is no experiment: no Config and build in it{choices}')
    if not hasattr(module, 'sweep'):
        raise ValueError(f'{name} has no sweep; run it with python -m {name}')
    return module


def groups(module: ModuleType, command: Command) -> list[Group]:
    """The runs of a sweep, grouped by the program that they share.

    Raises:
      ValueError: the config has no field of the grid, or no traced one.
    """
    if command.how and command.how not in parallel.HOW:
        known = ', '.join(parallel.HOW)
        raise ValueError(f'no --how {command.how!r}; choose from {known}')
    if command.fast and not hasattr(module, 'fast'):
        raise ValueError(f'{command.experiment} has no fast(): leave out --fast')
    if command.grid or command.fast:
        start = module.fast() if command.fast else module.Config()
        configs = grid.configs(start, command.grid)
    else:
        configs = list(module.sweep())
    configs = grid.only(configs, command.only)
    for config in configs:
        launch.check_config(config)
    traced = (*getattr(module, 'TRACED', ()), *command.traced)
    made = []
    for alike in grid.groups(configs, traced):
        if len(alike) > 1 and isinstance(module.build(alike[0]), runs.Experiment):
            experiments = grouping.share(module.build, alike, traced)
        else:
            experiments = [module.build(config) for config in alike]
        made.append(
            [
                vectorised.Run(one, launch.default_folder(one, command.run_root))
                for one in experiments
            ]
        )
    return made


def run(plan: Sequence[Group], command: Command) -> dict[pathlib.Path, str]:
    """{run folder: reason} of failed runs. A stop from outside ends the sweep."""
    arithmetic.apply(command.compute)
    failed: dict[pathlib.Path, str] = {}
    most = command.together
    if most is None:
        most = 1 if jax.default_backend() == 'cpu' else 0
    for group in plan:
        left = [member for member in group if not sweep_state.finished(*member)]
        if most != 1 and len(group) > 1 and left:
            failed |= _attempt(left, command, most)
        else:
            for member in left:
                failed |= _attempt([member], command, 1)
        if left and len(plan) > 1:
            jax.clear_caches()  # programs of the next group are others
    return failed


def _unfinished(plan: Sequence[Group]) -> list[int]:
    """The numbers of groups in which a run is left."""
    return [
        n
        for n, group in enumerate(plan)
        if not all(sweep_state.finished(*r) for r in group)
    ]


def _attempt(group: Group, command: Command, most: int) -> dict:
    """{run folder: reason} of failed runs; the others go on."""
    try:
        if most == 1:
            launch.execute(*group[0], command.data_dir, seeds_together=command.together)
            return {}
        failed = vectorised.run(
            group,
            data_dir=command.data_dir,
            most=most,
            how=command.how or None,
        )
        for experiment, run_dir in group:
            if run_dir not in failed:
                run_report.write(experiment, run_dir, command.data_dir)
        return failed
    except runs.Interrupted:
        raise
    except Exception as error:
        if command.debug:
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        launch.log.console.print(f'failed: {reason}', soft_wrap=True, markup=False)
        return {member.run_dir: reason for member in group}


def folder_of(plan: Sequence[Group], root: pathlib.Path) -> pathlib.Path:
    """The folder of a sweep's report: the same for the same runs."""
    members = [member for group in plan for member in group]
    names = sorted(str(member.run_dir.relative_to(root)) for member in members)
    digest = hashlib.sha256('\n'.join(names).encode()).hexdigest()[:8]
    return root / members[0].experiment.name / f'sweep-{digest}'


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')


if __name__ == '__main__':
    main()
