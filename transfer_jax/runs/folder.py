"""The run folder: its lock, its config and its rows.

config.json     config, versions, git revision
metrics.jsonl   training metrics by seed, stage, step
history.jsonl   evaluations by seed, stage, step
starts.jsonl    code, libraries, device and data of each start of a seed
costs.jsonl     seconds and memory of each start of a stage
checkpoints/    seed_S/I_STAGE/STEP/, the newest two
models/         seed_S/RULE/, the model that each selection rule picks (model_folder.py)
events/         TensorBoard
result.json     scores by rule
report.html     table and figures, the latter also in figures/
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from transfer_jax.runs import provenance

FORMAT = 2  # of config.json and result.json


class FolderError(ValueError):
    """A run folder cannot be used; the message says what to do."""


@contextlib.contextmanager
def claim(folder: pathlib.Path, experiment: str, config: Any) -> Iterator[None]:
    """Owns the folder while the block runs; creates it, or checks that it fits.

    A block that fails before it has recorded anything leaves no config behind, so that
    the corrected command may use the folder.

    Raises:
      FolderError: it cannot be written, is in use, or holds another experiment or
        config; the message names the fields that differ.
    """
    existed = folder.exists()
    try:
        with locked(folder, 'run folder', '--run-dir'):
            fresh = _check_config(folder, experiment, config)
            try:
                yield
            except BaseException:
                if fresh and not _recorded(folder):
                    _clear(folder)
                raise
    except BaseException:
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise


@contextlib.contextmanager
def locked(folder: pathlib.Path, what: str, flag: str) -> Iterator[None]:
    """Keeps other processes out of a folder while the block runs; creates it if needed.

    Args:
      what: the folder is, in messages.
      flag: that chooses another one.

    Raises:
      FolderError: it cannot be written, or is in use.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / 'lock', 'w')
    except OSError as error:
        raise FolderError(
            f'cannot write {what} {folder}: {error.strerror}; choose another with '
            f'{flag}'
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderError(
                f'{what} {folder} is in use by another process; wait for it, or '
                f'choose another with {flag}'
            ) from None
        yield


def _recorded(folder: pathlib.Path) -> bool:
    """Whether a run has left anything that another start would resume."""
    rows = [folder / f'{name}.jsonl' for name in ('history', 'metrics')]
    return (folder / 'checkpoints').exists() or any(
        path.exists() and path.stat().st_size for path in rows
    )


def _clear(folder: pathlib.Path) -> None:
    """Removes what a start writes before it records anything."""
    for name in (
        'config.json',
        'costs.jsonl',
        'history.jsonl',
        'metrics.jsonl',
        'starts.jsonl',
        'lock',
    ):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / 'events', ignore_errors=True)


def plain(config: Any) -> dict:
    """The fields of a config as JSON has them: lists in place of tuples."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def config_of(kind: type, fields: Mapping[str, Any]) -> Any:
    """The config whose `plain` fields these are.

    A field that is newer than the run has its default, which therefore is always what
    was done before there was the field.

    Raises:
      ValueError: the config has no such field.
    """
    names = {field.name for field in dataclasses.fields(kind)}
    if not names >= set(fields):
        differing = ', '.join(sorted(set(fields) - names))
        raise ValueError(
            f'{kind.__module__}.{kind.__qualname__} has other fields ({differing}): '
            'the run is of another version of the code'
        )
    return kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    )


def _check_config(folder: pathlib.Path, experiment: str, config: Any) -> bool:
    """Whether the folder is new; FolderError where it is of something else."""
    fields = plain(config)
    path = folder / 'config.json'
    if not path.exists():
        about = {'format': FORMAT, 'experiment': experiment, 'config': fields}
        write_json(path, {**about, **provenance.code()})
        return True
    written = json.loads(path.read_text())
    if written.get('format') != FORMAT:
        raise FolderError(
            f'run folder {folder} was made by another version (git '
            f'{written.get("git")}): finish it with that version, or choose another '
            'with --run-dir'
        )
    if written['experiment'] != experiment:
        raise FolderError(
            f'run folder {folder} holds a run of {written["experiment"]}, not of '
            f'{experiment}; choose another with --run-dir'
        )
    there = written['config']
    differ = [
        f'{name}: {there.get(name)!r} there, {fields.get(name)!r} here'
        for name in sorted(set(fields) | set(there))
        if fields.get(name) != there.get(name)
    ]
    if differ:
        raise FolderError(
            f'run folder {folder} holds a run of another config ({"; ".join(differ)}); '
            'choose another with --run-dir'
        )
    return False


def write_json(path: pathlib.Path, value: Any, lines: str = '') -> None:
    """Writes the file whole or not at all.

    Args:
      lines: a key of `value` whose list gets one line for each of its entries.

    Raises:
      FolderError: the disk is full or the folder cannot be written.
    """
    if not lines:
        _replace(path, json.dumps(value, indent=1) + '\n')
        return
    rest = {key: entry for key, entry in value.items() if key != lines}
    head = json.dumps(rest, indent=1).removesuffix('\n}')
    body = ',\n'.join(f'  {json.dumps(entry)}' for entry in value[lines])
    _replace(path, f'{head},\n "{lines}": [\n{body}\n ]\n}}\n')


class Rows:
    """A .jsonl file of rows keyed by seed, stage and step."""

    def __init__(self, path: pathlib.Path):
        self.path = path

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Adds rows at the end, one line each."""
        try:
            with open(self.path, 'ab+') as file:
                text = ''.join(json.dumps(row) + '\n' for row in rows)
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b'\n':  # a line that a crash cut short
                        text = '\n' + text
                file.write(text.encode())
        except OSError as error:
            raise FolderError(
                f'cannot write {self.path}: {error.strerror}; make room and start the '
                'same command again'
            ) from error

    def read(self) -> list[dict]:
        """All whole rows; a last line cut short by a crash is left out."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        return rows

    def rewind(self, seed: int, stage: str, step: int) -> None:
        """Drops the rows of a seed's stage after `step`, which will run again."""
        rows = [
            row
            for row in self.read()
            if (row['seed'], row['stage']) != (seed, stage) or row['step'] <= step
        ]
        if rows or self.path.exists():
            _replace(self.path, ''.join(json.dumps(row) + '\n' for row in rows))


def _replace(path: pathlib.Path, text: str) -> None:
    part = path.with_name(f'{path.name}.part')
    try:
        part.write_text(text)
        os.replace(part, path)
    except OSError as error:
        raise FolderError(
            f'cannot write {path}: {error.strerror}; make room and start the same '
            'command again'
        ) from error
