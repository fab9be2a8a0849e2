"""Result files below some folders: of runs, of studies, of benchmarks."""

import json
import os
import pathlib
from collections.abc import Iterable

from transfer_jax import runs

SKIPPED = ('checkpoints', 'events', 'figures')  # folders without result files


def find(
    roots: Iterable[pathlib.Path], key: str = 'scores'
) -> tuple[list[dict], list[pathlib.Path]]:
    """(results below the folders without duplicates, files of fast runs, left out).

    Args:
      key: a key of the results; 'rows' finds those of studies.

    Raises:
      ValueError: a file is not JSON, or has the format of another version.
    """
    results, left_out = [], []
    for root in roots:
        for folder, inside, files in os.walk(root):
            inside[:] = sorted(set(inside) - set(SKIPPED))
            for name in sorted(files):
                path = pathlib.Path(folder) / name
                if path.suffix != '.json':
                    continue
                content = _read(path)
                if not isinstance(content, dict) or 'fast' not in content:
                    continue
                _check_format(path, content)
                if key not in content:
                    continue
                if content['fast']:
                    left_out.append(path)
                elif content not in results:
                    results.append(content)
    return results, left_out


def benchmarks(roots: Iterable[pathlib.Path]) -> dict[str, dict]:
    """{benchmark: content of its result file}, from the first folder that has it.

    Raises:
      ValueError: a file is not JSON.
    """
    contents: dict[str, dict] = {}
    for root in roots:
        for path in sorted((root / 'benchmarks').glob('*.json')):
            contents.setdefault(path.stem, _read(path))
    return contents


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
