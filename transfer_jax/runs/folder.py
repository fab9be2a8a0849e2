"""The folder of a run: who owns it, what it is a run of, and its rows.

config.json     the config, versions, git revision
metrics.jsonl   training metrics by seed, stage, step
history.jsonl   evaluations by seed, stage, step
checkpoints/    seed_S/I_STAGE/
events/         TensorBoard
result.json     what the run came to
report.html     the same for people, with figures/
"""

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

VERSIONED = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'grain', 'numpy')


class FolderError(ValueError):
    """A run folder cannot be used; the message says what to do."""


@contextlib.contextmanager
def claim(folder: pathlib.Path, experiment: str, config: Any) -> Iterator[None]:
    """Own the folder while the block runs; create it, or check that it fits.

    Raises:
      FolderError: it cannot be written, is in use, or holds another experiment or
        config; the message names the fields that differ.
    """
    with locked(folder, 'run folder', '--run-dir'):
        _check_config(folder, experiment, config)
        yield


@contextlib.contextmanager
def locked(folder: pathlib.Path, what: str, flag: str) -> Iterator[None]:
    """Keep other processes out of a folder, created if need be, while the block runs.

    Args:
      what: it is, in messages.
      flag: by which another may be chosen.

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


def _check_config(folder: pathlib.Path, experiment: str, config: Any) -> None:
    own = json.loads(json.dumps(dataclasses.asdict(config)))
    place = folder / 'config.json'
    if not place.exists():
        about = {'experiment': experiment, 'config': own, **provenance()}
        write_json(place, about)
        return
    found = json.loads(place.read_text())
    if found['experiment'] != experiment:
        raise FolderError(
            f'run folder {folder} holds a run of {found["experiment"]}, not of '
            f'{experiment}; choose another with --run-dir'
        )
    there = found['config']
    fields = sorted(set(own) | set(there))
    differ = [
        f'{name}: {there.get(name)!r} there, {own.get(name)!r} here'
        for name in fields
        if own.get(name) != there.get(name)
    ]
    if differ:
        raise FolderError(
            f'run folder {folder} holds a run of another config ({"; ".join(differ)}); '
            'choose another with --run-dir'
        )


def provenance() -> dict:
    """Versions, git revision and platform that a run was made with."""
    versions = {'python': platform.python_version()}
    for name in VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {'versions': versions, 'git': _git_revision()}


def _git_revision() -> str | None:
    here = pathlib.Path(__file__).resolve().parent
    command = ['git', '-C', str(here), 'describe', '--always', '--dirty', '--abbrev=12']
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def write_json(place: pathlib.Path, value: Any, lines: str = '') -> None:
    """Write whole or not at all.

    Args:
      lines: a key of `value` whose list gets one line for each of its entries.

    Raises:
      FolderError: the disk is full or the folder cannot be written.
    """
    if not lines:
        _replace(place, json.dumps(value, indent=1) + '\n')
        return
    rest = {key: entry for key, entry in value.items() if key != lines}
    head = json.dumps(rest, indent=1).removesuffix('\n}')
    body = ',\n'.join(f'  {json.dumps(entry)}' for entry in value[lines])
    _replace(place, f'{head},\n "{lines}": [\n{body}\n ]\n}}\n')


class Rows:
    """A .jsonl file of rows keyed by seed, stage and step."""

    def __init__(self, place: pathlib.Path):
        self.place = place

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Add rows at the end, on lines of their own."""
        try:
            with open(self.place, 'ab+') as file:
                text = ''.join(json.dumps(row) + '\n' for row in rows)
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b'\n':  # a line that a crash cut short
                        text = '\n' + text
                file.write(text.encode())
        except OSError as error:
            raise FolderError(
                f'cannot write {self.place}: {error.strerror}; make room and start the '
                'same command again'
            ) from error

    def read(self) -> list[dict]:
        """All whole rows; a last line cut short by a crash is left out."""
        if not self.place.exists():
            return []
        rows = []
        for line in self.place.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
        return rows

    def rewind(self, seed: int, stage: str, step: int) -> None:
        """Drop what this seed's stage wrote after `step`: it is going to run again."""
        rows = [
            row
            for row in self.read()
            if (row['seed'], row['stage']) != (seed, stage) or row['step'] <= step
        ]
        if rows or self.place.exists():
            _replace(self.place, ''.join(json.dumps(row) + '\n' for row in rows))


def _replace(place: pathlib.Path, text: str) -> None:
    part = place.with_name(f'{place.name}.part')
    try:
        part.write_text(text)
        os.replace(part, place)
    except OSError as error:
        raise FolderError(
            f'cannot write {place}: {error.strerror}; make room and start the same '
            'command again'
        ) from error
