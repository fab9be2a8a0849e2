"""Result files below some folders: of runs, of studies, of benchmarks."""

import functools
import json
import os
import pathlib
import tomllib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from packaging import requirements, specifiers

from transfer_jax import runs

# Folders without result files, and the runs of experiments.adaptation.tuning.
SKIPPED = ('checkpoints', 'events', 'figures', 'tuning')
PROJECT = pathlib.Path(__file__).parents[2] / 'pyproject.toml'


class LeftOut(NamedTuple):
    """A result file that no table shows, and why."""

    path: pathlib.Path
    reason: str


def find(
    roots: Iterable[pathlib.Path], key: str = 'scores'
) -> tuple[list[dict], list[LeftOut]]:
    """(results below the folders without duplicates, files that are left out).

    Left out are fast runs, and what `refusal` names.

    Args:
      key: a key of the results; 'rows' finds those of studies.

    Raises:
      ValueError: a file is not JSON, or has the format of another version.
    """
    results, left_out = [], []
    for path, content in read(roots):
        if key not in content:
            continue
        if reason := refusal(content):
            left_out.append(LeftOut(path, reason))
        elif content not in results:
            results.append(content)
    return results, left_out


def read(roots: Iterable[pathlib.Path]) -> Iterator[tuple[pathlib.Path, dict]]:
    """(file, its content) of all results of runs and studies below the folders.

    Raises:
      ValueError: a file is not JSON, or has the format of another version.
    """
    for root in roots:
        for folder, inside, files in os.walk(root):
            inside[:] = sorted(set(inside) - set(SKIPPED))
            for name in sorted(files):
                path = pathlib.Path(folder) / name
                if path.suffix != '.json':
                    continue
                content = _read(path)
                if isinstance(content, dict) and 'fast' in content:
                    _check_format(path, content)
                    yield path, content


def refusal(content: dict) -> str:
    """Why no table shows a result; '' where it is sound.

    Its numbers must come from a commit, and from libraries that pyproject.toml does
    not exclude.
    """
    if content['fast']:
        return 'a run of seconds for tests (fast)'
    for start in runs.provenance.starts(content):
        if start['git'] is None and 'starts' in content:
            return 'made outside of a git repository'
        if (start['git'] or '').endswith('-dirty'):
            return f'made from files that no commit has (git {start["git"]})'
        for name, version in (start['versions'] or {}).items():
            if any(version in wrong for wrong in _excluded().get(name, ())):
                return f'made with {name} {version}, which pyproject.toml excludes'
    return ''


def benchmarks(roots: Iterable[pathlib.Path]) -> dict[str, dict]:
    """{benchmark: content of its result file}, from the first folder that has it.

    Those of an accelerator, in benchmarks/gpu/, have names such as 'gpu/sweeps'.

    Raises:
      ValueError: a file is not JSON.
    """
    contents: dict[str, dict] = {}
    for root in roots:
        folder = root / 'benchmarks'
        for path in sorted([*folder.glob('*.json'), *folder.glob('gpu/*.json')]):
            name = path.relative_to(folder).with_suffix('').as_posix()
            contents.setdefault(name, _read(path))
    return contents


@functools.cache
def _excluded() -> dict[str, list[specifiers.Specifier]]:
    """{library: versions that pyproject.toml excludes by name}."""
    project = tomllib.loads(PROJECT.read_text(encoding='utf-8'))['project']
    wanted = map(requirements.Requirement, project['dependencies'])
    return {
        one.name: [
            specifiers.Specifier(f'=={s.version}')
            for s in one.specifier
            if s.operator == '!='
        ]
        for one in wanted
    }


def _check_format(path: pathlib.Path, content: dict) -> None:
    if content.get('format') != runs.folder.FORMAT:
        raise ValueError(
            f'{path} has the result format of another version (git '
            f'{content.get("git")}): read it with that version, or run its experiment '
            'again in another folder'
        )


def _read(path):
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None
