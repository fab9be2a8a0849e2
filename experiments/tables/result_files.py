"""Result files below some folders: of runs, of studies, of benchmarks."""

import json
import os
import pathlib
from collections.abc import Iterable

SKIPPED = ('checkpoints', 'events', 'figures')  # of a run folder: no results in there


def find(
    roots: Iterable[pathlib.Path], key: str = 'target_accuracy'
) -> tuple[list[dict], list[pathlib.Path]]:
    """(results below the folders, each once; files left out as runs for tests).

    Args:
      key: that a result has; 'rows' finds those of studies.

    Raises:
      ValueError: a file is not JSON.
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
                if not isinstance(content, dict) or not {key, 'fast'} <= set(content):
                    continue
                if content['fast']:
                    left_out.append(path)
                elif content not in results:
                    results.append(content)
    return results, left_out


def benchmarks(roots: Iterable[pathlib.Path]) -> dict[str, dict]:
    """{benchmark: content of its result file}, of the first folder that has it.

    Raises:
      ValueError: a file is not JSON.
    """
    found: dict[str, dict] = {}
    for root in roots:
        for path in sorted((root / 'benchmarks').glob('*.json')):
            found.setdefault(path.stem, _read(path))
    return found


def _read(path):
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None
