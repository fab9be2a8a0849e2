"""Every config of a page's sweep(), or of a grid; finished ones are not run again.

    python -m experiments.sweep experiments.adaptation.dann
    python -m experiments.sweep experiments.adaptation.digits \
        --grid config.method=dann,mcc --grid config.rate=3e-4,1e-3,3e-3

Configs that differ in traced numbers alone (a page's TRACED: rates, weights) are one
compiled program. On an accelerator they train side by side, on CPU one after another.
Each has the run folder of its own command, from which it goes on wherever it was
stopped. What came of it all is in RUN_ROOT/EXPERIMENT/sweep-DIGEST: report.html,
table.csv, table.tex, figures/.
"""

import dataclasses
import hashlib
import importlib
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Annotated

import jax
import tyro

from transfer_jax import runs
from transfer_jax.cli import allocator, cluster, compilation_cache, grid, launch
from transfer_jax.reports import run_report, study_tables, sweep_report
from transfer_jax.runs import folder, grouping, vectorised

Work = runs.Experiment | runs.Study


@dataclasses.dataclass(frozen=True)
class Command:
    """Run a sweep; started again it goes on where it was."""

    page: tyro.conf.Positional[str]
    """The module of an experiment: any that can be imported and has Config, build and
    sweep. `python -m experiments` lists ours."""
    grid: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """FIELD=VALUE,VALUE: an axis of a grid, or with one value a setting. May be given
    several times; instead of the page's sweep()."""
    fast: bool = False
    """The grid starts from the page's run of seconds on generated data."""
    traced: tuple[str, ...] = ()
    """Fields that may differ within one program, beside those that the page names."""
    together: int | None = None
    """Runs trained side by side. Default: all of a group on an accelerator, 1 on CPU;
    0 is all of a group."""
    how: str = ''
    """vmap, unroll or scan, for runs side by side; chosen by the device by default."""
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
        allocator.keep()
        page = load(command.page, known)
        plan = groups(page, command)
        if command.list:
            _say(listed(plan))
            return
        compilation_cache.keep()
        place = folder_of(plan, command.run_root)
        with folder.locked(place, 'sweep folder', '--run-root'):
            if command.cluster:
                own = dataclasses.replace(command, cluster='', cluster_options=())
                failed = cluster.run(
                    Task(),
                    {f'group {n + 1}': (own, n) for n in _unfinished(plan)},
                    place,
                    kind=command.cluster,
                    options=command.cluster_options,
                )
            else:
                failed = run(plan, command)
            members = [own for group in plan for own in group]
            _say(summary(own.place for own in members))
            for run_folder, reason in failed.items():
                _say(f'failed: {run_folder}: {reason}')
            written = sweep_report.write(
                members, place, failed, bootstrap=command.bootstrap
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
        allocator.keep()
        compilation_cache.keep()
        plan = groups(load(command.page), command)
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
        page = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f'{name}.'.startswith(f'{error.name}.'):
            raise  # of something that it imports
        raise ValueError(f'no module {name!r}{choices}') from None
    if not (hasattr(page, 'Config') and hasattr(page, 'build')):
        raise ValueError(f'{name} is no experiment: no Config and build in it{choices}')
    if not hasattr(page, 'sweep'):
        raise ValueError(f'{name} has no sweep; run it with python -m {name}')
    return page


def groups(page: ModuleType, command: Command) -> list[Group]:
    """The runs of a sweep, those together that can be one program.

    Raises:
      ValueError: a grid or a traced field that the page does not have.
    """
    if command.grid or command.fast:
        start = page.fast() if command.fast else page.Config()
        configs = grid.configs(start, command.grid)
    else:
        configs = list(page.sweep())
    traced = (*getattr(page, 'TRACED', ()), *command.traced)
    made = []
    for alike in grid.groups(configs, traced):
        if len(alike) > 1 and isinstance(page.build(alike[0]), runs.Experiment):
            experiments = grouping.share(page.build, alike, traced)
        else:
            experiments = [page.build(config) for config in alike]
        made.append(
            [
                vectorised.Run(own, launch.default_folder(own, command.run_root))
                for own in experiments
            ]
        )
    return made


def listed(plan: Sequence[Group]) -> str:
    """A line for each run."""
    lines = []
    for number, group in enumerate(plan, 1):
        for experiment, place in group:
            state = 'finished' if finished(experiment, place) else 'to run'
            arm = getattr(experiment, 'arm', '')
            lines.append(
                f'{state:<9} group {number:<4} {arm:<16} {experiment.task:<32} {place}'
            )
    return '\n'.join(lines)


def run(plan: Sequence[Group], command: Command) -> dict[pathlib.Path, str]:
    """{run that failed: why}. A stop from outside ends the sweep."""
    failed: dict[pathlib.Path, str] = {}
    most = command.together
    if most is None:
        most = 1 if jax.default_backend() == 'cpu' else 0
    for group in plan:
        left = [own for own in group if not finished(*own)]
        if most != 1 and len(group) > 1 and left:
            failed |= _attempt(left, command, most)
        else:
            for own in left:
                failed |= _attempt([own], command, 1)
        if left and len(plan) > 1:
            jax.clear_caches()  # programs of the next group are others
    return failed


def _unfinished(plan: Sequence[Group]) -> list[int]:
    """The numbers of groups in which a run is left."""
    return [n for n, group in enumerate(plan) if not all(finished(*r) for r in group)]


def _attempt(group: Group, command: Command, most: int) -> dict:
    """{run that failed: why}: whatever it is, the other runs are not to blame."""
    try:
        if most == 1:
            launch.execute(*group[0], command.data_dir)
            return {}
        failed = vectorised.run(
            group,
            data_dir=command.data_dir,
            most=most,
            how=command.how or None,
        )
        for experiment, place in group:
            if place not in failed:
                run_report.write(experiment, place, command.data_dir)
        return failed
    except runs.Interrupted:
        raise
    except Exception as error:
        if command.debug:
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        launch.log.console.print(f'failed: {reason}', soft_wrap=True, markup=False)
        return {own.place: reason for own in group}


def finished(experiment: Work, place: pathlib.Path) -> bool:
    """Whether the folder holds the result of this config."""
    found = _result(place)
    own = json.loads(json.dumps(dataclasses.asdict(experiment.config)))
    return found is not None and found['config'] == own


def summary(places: Iterable[pathlib.Path]) -> str:
    """The tables of what has been finished, a task each."""
    tasks: dict[str, list[dict]] = {}
    studies = []
    for result in filter(None, map(_result, places)):
        if 'rows' in result:
            studies.append(study_tables.text(result))
        else:
            tasks.setdefault(result['task'], []).append(result)
    return '\n\n'.join([*map(run_report.text_table, tasks.values()), *studies])


def folder_of(plan: Sequence[Group], root: pathlib.Path) -> pathlib.Path:
    """Where the report of a sweep stands: the same for the same runs."""
    members = [own for group in plan for own in group]
    names = sorted(str(own.place.relative_to(root)) for own in members)
    digest = hashlib.sha256('\n'.join(names).encode()).hexdigest()[:8]
    return root / members[0].experiment.name / f'sweep-{digest}'


def _result(place: pathlib.Path) -> dict | None:
    file = place / 'result.json'
    return json.loads(file.read_text()) if file.exists() else None


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')


if __name__ == '__main__':
    main()
