"""The command line of the pages: flags, run folder, errors."""

import ast
import contextlib
import dataclasses
import hashlib
import json
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Generic, NoReturn, TypeVar

import tyro

from transfer_jax import running, study, summaries, watching
from transfer_jax.training import checkpoint, log

Config = TypeVar('Config')


@dataclasses.dataclass(frozen=True)
class Flags(Generic[Config]):
    """The flags of a page."""

    config: Config
    """What is run; decides the result."""
    run_dir: pathlib.Path | None = None
    """Folder of the run. Default: runs/EXPERIMENT/TASK-DIGEST_OF_THE_CONFIG, so that
    the same command goes on with the same run."""
    data_dir: str | None = None
    """Data folder(s), separated by ':'. Default: $TRANSFER_JAX_DATA, else
    ~/tensorflow_datasets."""
    debug: bool = False
    """Show the traceback of an error."""


def main(
    config: type[Config],
    build: Callable[[Config], running.Experiment | study.Study],
    page: str,
) -> None:
    """The command line of a page: flags in, a run folder and a table out."""
    module = pathlib.Path(page).with_suffix('')
    parts = module.parts[module.parts.index('experiments') :]
    flags = tyro.cli(
        Flags[config], prog=f'python -m {".".join(parts)}', description=_about(page)
    )
    with errors(flags.debug):
        experiment = build(flags.config)
        place = flags.run_dir or default_folder(experiment)
        execute(experiment, place, flags.data_dir)


def execute(
    experiment: running.Experiment | study.Study,
    place: pathlib.Path,
    data_dir: str | None = None,
) -> dict:
    """Run an experiment, write its report, say what came of it and where it is."""
    # matplotlib: only when there is something to draw
    from transfer_jax import report, study_report

    if isinstance(experiment, study.Study):
        result, prepared = study.run(experiment, place, data_dir=data_dir)
        log.console.print(summaries.text(result), soft_wrap=True, markup=False)
        page = study_report.write(experiment, place, result, prepared)
    else:
        result = running.run(experiment, place, data_dir=data_dir)
        log.console.print(report.text_table([result]), soft_wrap=True)
        page = report.write(experiment, place, data_dir)
    log.console.print(f'report: {page}', soft_wrap=True)
    return result


def default_folder(
    experiment: running.Experiment | study.Study,
    root: pathlib.Path = pathlib.Path('runs'),
) -> pathlib.Path:
    """runs/EXPERIMENT/TASK-DIGEST, the same for the same config."""
    fields = json.dumps(dataclasses.asdict(experiment.config), sort_keys=True)
    digest = hashlib.sha256(fields.encode()).hexdigest()[:8]
    task = ''.join(c if c.isalnum() or c in '_-' else '_' for c in experiment.task)
    return root / experiment.name / f'{task}-{digest}'


@contextlib.contextmanager
def errors(debug: bool) -> Iterator[None]:
    """Turns the errors that a user can cause into one line and an exit code."""
    try:
        yield
    except watching.Interrupted as stop:
        _leave(str(stop), 128 + stop.number)
    except KeyboardInterrupt:
        _leave('stopped; start the same command again to go on', 130)
    except (checkpoint.CheckpointError, watching.NonFiniteError) as error:
        if debug:
            raise
        _leave(f'error: {error}', 1)
    except ValueError as error:
        if debug:
            raise
        _leave(f'error: {error}', 2)


def _leave(message: str, code: int) -> NoReturn:
    log.console.print(message, soft_wrap=True, markup=False)
    sys.exit(code)


def _about(page: str) -> str:
    """The docstring of the page, without importing it twice."""
    return ast.get_docstring(ast.parse(pathlib.Path(page).read_text())) or ''
