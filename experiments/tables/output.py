"""What a table prints around its rows: missing results, and those left out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.tables import result_files


def text(
    name: str,
    content: str,
    missing: Sequence[Mapping[str, str]],
    left_out: Sequence[result_files.LeftOut],
) -> str:
    """The table as text, with the commands of results that it lacks."""
    parts = [content or f'{name}: no result files found.']
    if missing:
        parts += ['', 'No result yet for these; the command makes it:']
        parts += [f'  {m["task"]}, {m["method"]}: {m["command"]}' for m in missing]
    if left_out:
        parts += ['', 'Left out:']
        parts += [f'  {one.path}: {one.reason}' for one in left_out]
    return '\n'.join(parts)


def as_json(
    name: str,
    rows: Any,
    missing: Sequence[Mapping[str, str]],
    left_out: Sequence[result_files.LeftOut],
) -> str:
    """The same as JSON."""
    content = {
        'table': name,
        'rows': rows,
        'missing': missing,
        'left_out': [{'path': str(o.path), 'reason': o.reason} for o in left_out],
    }
    return json.dumps(content, indent=1)
