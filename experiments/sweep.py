"""Every run of a page's sweep(), one after another; finished ones are skipped.

python -m experiments.sweep experiments.adaptation.dann
"""

import dataclasses
import importlib
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType

import tyro

from experiments import __main__ as listing
from experiments import common
from transfer_jax import report, running, study, summaries, watching


@dataclasses.dataclass(frozen=True)
class Command:
    """Run a sweep; started again it goes on where it was."""

    page: tyro.conf.Positional[str]
    """The module of a page, as `python -m experiments` lists it."""
    run_root: pathlib.Path = pathlib.Path('runs')
    """Folder of the run folders."""
    data_dir: str | None = None
    """Data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
    list: bool = False
    """Only list the runs and which are finished."""
    debug: bool = False
    """End with the traceback of the first run that fails."""


def main(args: Sequence[str] | None = None) -> None:
    """The command in `args`, by default that of the command line."""
    command = tyro.cli(
        Command, prog='python -m experiments.sweep', description=__doc__, args=args
    )
    with common.errors(command.debug):
        page = load(command.page)
        places = {
            common.default_folder(experiment, command.run_root): experiment
            for experiment in map(page.build, page.sweep())
        }
        if command.list:
            for place, experiment in places.items():
                state = 'finished' if finished(experiment, place) else 'to run'
                arm = getattr(experiment, 'arm', '')
                _say(f'{state:<9} {arm:<16} {experiment.task:<32} {place}')
            return
        failed = run(places.items(), command.data_dir, command.debug)
        _say(summary(places))
        for place, reason in failed.items():
            _say(f'failed: {place}: {reason}')
        if failed:
            sys.exit(1)


def load(name: str) -> ModuleType:
    """The page of that name.

    Raises:
      ValueError: there is no such page.
    """
    known = listing.pages()
    if name not in known:
        raise ValueError(f'no page {name!r}; there are: {", ".join(known)}')
    page = importlib.import_module(name)
    if not hasattr(page, 'sweep'):
        raise ValueError(f'{name} has no sweep; run it with python -m {name}')
    return page


def run(
    runs: Iterable[tuple[pathlib.Path, running.Experiment | study.Study]],
    data_dir: str | None,
    debug: bool = False,
) -> dict[pathlib.Path, str]:
    """{run that failed: why}. A stop from outside ends the sweep."""
    failed = {}
    for place, experiment in runs:
        if finished(experiment, place):
            continue
        try:
            common.execute(experiment, place, data_dir)
        except watching.Interrupted:
            raise
        except Exception as error:  # whatever it is, the other runs are not to blame
            if debug:
                raise
            reason = (str(error) or type(error).__name__).splitlines()[0]
            failed[place] = reason
            common.log.console.print(f'failed: {reason}', soft_wrap=True, markup=False)
    return failed


def finished(experiment: running.Experiment | study.Study, place: pathlib.Path) -> bool:
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
            studies.append(summaries.text(result))
        else:
            tasks.setdefault(result['task'], []).append(result)
    return '\n\n'.join([*map(report.text_table, tasks.values()), *studies])


def _result(place: pathlib.Path) -> dict | None:
    file = place / 'result.json'
    return json.loads(file.read_text()) if file.exists() else None


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')


if __name__ == '__main__':
    main()
