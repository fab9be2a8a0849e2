"""What a run was made with: code, libraries, device and data, noted when it starts."""

import contextlib
import dataclasses
import datetime
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from transfer_jax.training import determinism, precision

VERSIONED = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'grain', 'numpy')


def code() -> dict:
    """{'versions': of Python and libraries, 'git': revision of this tree}.

    The revision ends in '-dirty' where files of the tree differ from it or Python files
    are in no commit, and is None where the package is not in a git repository.
    """
    versions = {'python': platform.python_version()}
    for name in VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {'versions': versions, 'git': _git_revision()}


def device() -> str:
    """What a run is trained on: '2 cores', or the kind of the accelerator."""
    if jax.default_backend() == 'cpu':
        return f'{os.cpu_count()} cores'
    return jax.devices()[0].device_kind


def peak_memory() -> int:
    """The most bytes in use so far: on the accelerator, else by this process."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if 'peak_bytes_in_use' in stats:
        return stats['peak_bytes_in_use']
    import resource  # not on every system

    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def start(seed: int | None, data: Any, golden: str | None = None) -> dict:
    """What a seed is trained with, noted when its training starts or goes on.

    Args:
      seed: None for a study, which has no seeds of its own.
      data: of the seed; None in the answer where it has no `digest`.
      golden: digest of the golden run of the method, see tools/golden_runs.py.
    """
    try:
        of_data = digest(data)
    except (TypeError, OSError):
        of_data = None
    return {
        'seed': seed,
        'time': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
        **code(),
        'device': device(),
        'precision': precision.current(),
        'deterministic': determinism.current(),
        'golden': golden,
        'data': of_data,
    }


def starts(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The starts of a result, the content of a result.json.

    A result of an earlier version has one, noted when it ended.
    """
    if 'starts' in result:
        return list(result['starts'])
    return [{name: result.get(name) for name in ('git', 'versions', 'device')}]


def revisions(result: Mapping[str, Any]) -> str:
    """'2 cores; git 1a2b3c', of all starts of a result.

    A precision of networks other than 'highest' stands behind its device.
    """
    of = starts(result)
    devices = sorted({_device_of(start) for start in of})
    gits = sorted({start['git'] or 'unknown' for start in of})
    return f'{", ".join(devices)}; git {", ".join(gits)}'


def _device_of(start: Mapping[str, Any]) -> str:
    name, precise = start['device'] or 'unknown device', start.get('precision')
    return name if precise in (None, 'highest') else f'{name} (precision {precise})'


def versions(result: Mapping[str, Any]) -> dict[str, str]:
    """{library: its version}, of all starts of a result."""
    found: dict[str, list[str]] = {}
    for start in starts(result):
        for name, version in (start['versions'] or {}).items():
            known = found.setdefault(name, [])
            known += [version] if version not in known else []
    return {name: ', '.join(of) for name, of in found.items()}


def digest(data: Any) -> str:
    """The first 16 digits of the SHA-256 digest of everything that the data holds.

    Data are arrays, strings, numbers, paths of files, and containers of them:
    sequences, mappings, dataclasses. Of a file its name, that of its folder and its
    size count.

    Raises:
      TypeError: a part is of none of these types.
    """
    total = hashlib.sha256()
    _add(total, data)
    return total.hexdigest()[:16]


def _add(total, value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError('no digest of an array of objects')
        total.update(f'{array.dtype.name} {array.shape}'.encode())
        total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    elif isinstance(value, pathlib.Path):
        total.update(
            f'{value.parent.name}/{value.name} {value.stat().st_size}'.encode()
        )
    elif value is None or isinstance(value, str | bytes | bool | int | float):
        total.update(f'{type(value).__name__} {value!r}'.encode())
    elif isinstance(value, Mapping):
        total.update(f'mapping {len(value)}'.encode())
        for key in sorted(value):
            _add(total, key)
            _add(total, value[key])
    elif isinstance(value, tuple | list):
        total.update(f'sequence {len(value)}'.encode())
        for part in value:
            _add(total, part)
    elif dataclasses.is_dataclass(value):
        _add(total, [getattr(value, f.name) for f in dataclasses.fields(value)])
    else:
        raise TypeError(f'no digest of a {type(value).__qualname__}')


def _git_revision() -> str | None:
    revision = _git('describe', '--always', '--dirty', '--abbrev=12')
    if not revision or revision.endswith('-dirty'):
        return revision or None
    new = _git('ls-files', '--others', '--exclude-standard', ':/*.py')
    return f'{revision}-dirty' if new else revision


def _git(*arguments: str) -> str:
    """What git prints in this tree; '' where it fails."""
    command = ['git', '-C', str(pathlib.Path(__file__).resolve().parent), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return answer.stdout.strip()
