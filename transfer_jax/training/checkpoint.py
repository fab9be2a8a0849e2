"""Checkpoints by orbax, each with the digest of its arrays.

A folder keeps the newest two. A checkpoint that cannot be read, or whose arrays do not
have the digest that was saved with them, is set aside and the one before is used.
"""

import contextlib
import hashlib
import logging
import os
import pathlib
import re
import shutil
import warnings
from typing import NamedTuple

import jax
import numpy as np

from transfer_jax.training import parallel
from transfer_jax.training.state import TrainState
from transfer_jax.types import PyTree


class CheckpointError(RuntimeError):
    """A checkpoint could not be written; the message says what to do."""


class StructureError(ValueError):
    """A sound checkpoint holds other arrays than those asked for."""


class Restored(NamedTuple):
    """A state and the number of steps it has taken."""

    state: TrainState
    step: int


def digest(tree: PyTree) -> str:
    """SHA-256 over every leaf: its path, type, shape and bytes."""
    total = hashlib.sha256()
    for keys, leaf in jax.tree_util.tree_leaves_with_path(tree):
        value = np.asarray(leaf)
        head = f'{jax.tree_util.keystr(keys)} {value.dtype} {value.shape}'
        total.update(head.encode())
        total.update(np.ascontiguousarray(value).tobytes())
    return total.hexdigest()


def save(folder: pathlib.Path, state: TrainState, step: int, *, keep: int = 2) -> None:
    """Write the state after `step`, whole or not at all, and drop the oldest.

    Of several processes, all of them call it, with a state that is on all devices.

    Raises:
      CheckpointError: the disk is full or the folder cannot be written; older
        checkpoints are untouched.
      jax.errors.JaxRuntimeError: another process is gone.
    """
    tree = _as_dict(state)
    try:
        with _checkpointer(folder, keep) as checkpointer:
            checkpointer.save(
                step, tree, overwrite=True, custom_metadata={'digest': digest(tree)}
            )
    except jax.errors.JaxRuntimeError:
        raise  # of a barrier, not of the disk
    except (OSError, ValueError, RuntimeError) as error:
        # Orbax reports a full disk as any of these, the cause deep in its message.
        raise CheckpointError(
            f'cannot write checkpoint {step} in {folder}: {_reason(error)}. Earlier '
            'checkpoints are intact: make room and start the same command again'
        ) from error


def restore(
    folder: pathlib.Path, like: TrainState, upto: int | None = None
) -> Restored | None:
    """The newest sound checkpoint, or None where there is none.

    Args:
      like: a state, or its jax.eval_shape, with the structure to restore into. Its
        `values` are left as they are.
      upto: none after this step.

    Raises:
      StructureError: the checkpoint has another structure than `like`; nothing on disk
        is touched.
    """
    if not folder.is_dir():
        return None
    wanted = jax.tree.map(_abstract, _as_dict(like))
    steps = [step for step in _steps(folder) if upto is None or step <= upto]
    for step in sorted(steps, reverse=True):
        try:
            _check_structure(folder / str(step), wanted)
            tree, saved = _load(folder / str(step), wanted)
            if digest(tree) != saved:
                raise ValueError('its arrays are not those that were saved')
        except StructureError:
            raise
        except Exception as error:  # damage shows itself as almost any exception
            _set_aside(folder, step, _reason(error))
        else:
            # Loaded arrays may share host memory with the reader: take copies.
            tree = jax.tree.map(jax.numpy.array, tree)
            return Restored(like.replace(**tree), step)
    return None


def steps(folder: pathlib.Path) -> list[int]:
    """The steps of the checkpoints in a folder, in order; [] without a folder."""
    return sorted(_steps(folder)) if folder.is_dir() else []


def drop_after(folder: pathlib.Path, step: int) -> None:
    """Removes the checkpoints of later steps, which will be taken again."""
    for later in steps(folder):
        if later > step:
            shutil.rmtree(folder / str(later))


def _as_dict(state: TrainState) -> dict[str, PyTree]:
    saved = [name for name in state.__dataclass_fields__ if name != 'values']
    return {name: getattr(state, name) for name in saved}


def _abstract(leaf):
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _check_structure(path: pathlib.Path, wanted: PyTree) -> None:
    """Raises StructureError where names, shapes or types differ.

    Raises:
      ValueError: the list of the saved arrays is lost.
    """
    from orbax.checkpoint import v1 as ocp

    _quiet()
    with _alone():
        saved = _arrays(ocp.metadata(path.absolute()).metadata)
    if not saved:  # what orbax reads from a file that was cut short
        raise ValueError('it lists no arrays')
    asked = _arrays(wanted)
    differing = [
        f'{name} ({_described(saved, name)} saved, {_described(asked, name)} expected)'
        for name in sorted(saved.keys() | asked.keys())
        if saved.get(name) != asked.get(name)
    ]
    if differing:
        more = f' and {len(differing) - 3} more' if len(differing) > 3 else ''
        raise StructureError(
            f'checkpoint {path} is of another model or version: '
            f'{", ".join(differing[:3])}{more}; it was left as it is. Choose another '
            'run folder, or the code and config that wrote this one'
        )


def _arrays(tree: PyTree) -> dict[str, tuple]:
    """{path: (shape, type)}; tuples and named tuples are as lists and dicts."""

    def part(key):
        names = (getattr(key, field, None) for field in ('key', 'name', 'idx'))
        return str(next(name for name in names if name is not None))

    leaves = jax.tree_util.tree_leaves_with_path(
        tree, is_leaf=lambda leaf: hasattr(leaf, 'shape')
    )
    return {
        '/'.join(map(part, keys)): (tuple(leaf.shape), np.dtype(leaf.dtype))
        for keys, leaf in leaves
    }


def _described(arrays: dict[str, tuple], name: str) -> str:
    if name not in arrays:
        return 'none'
    shape, dtype = arrays[name]
    return f'{dtype}{list(shape)}'


def _alone():
    """Each of several processes reads by itself, without waiting for the others."""
    from orbax.checkpoint import v1 as ocp

    if jax.process_count() == 1:
        return contextlib.nullcontext()
    own = jax.process_index()
    options = ocp.options.MultiprocessingOptions(
        primary_host=own,
        active_processes={own},
        barrier_sync_key_prefix=f'process_{own}',
    )
    return ocp.Context(multiprocessing_options=options)


def _load(path: pathlib.Path, wanted: PyTree) -> tuple[PyTree, str]:
    """(the tree on one device, the digest saved with it)."""
    from orbax.checkpoint import v1 as ocp  # 1.6 s: only where it is used

    _quiet()
    with _alone():
        tree = ocp.load(path.absolute(), wanted)
        saved = ocp.metadata(path.absolute()).custom_metadata['digest']
    return tree, saved


def _checkpointer(folder: pathlib.Path, keep: int):
    from orbax.checkpoint import v1 as ocp

    _quiet()
    policies = ocp.training.preservation_policies
    return ocp.training.Checkpointer(
        folder.absolute(),
        save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
        preservation_policy=policies.LatestN(keep),
        cleanup_tmp_directories=True,
    )


def _steps(folder: pathlib.Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def _set_aside(folder: pathlib.Path, step: int, reason: str) -> None:
    aside = folder / f'damaged_{step}'
    if parallel.is_first():
        shutil.rmtree(aside, ignore_errors=True)
        (folder / str(step)).rename(aside)
    warnings.warn(
        f'checkpoint {step} in {folder} is damaged ({reason}); set aside as '
        f'{aside.name}, using the one before',
        stacklevel=3,
    )


def _quiet() -> None:
    """Orbax's threads log tracebacks of errors that are raised here again."""
    logging.getLogger('absl').setLevel(logging.CRITICAL)


def _reason(error: BaseException) -> str:
    """The cause in one line: that of the operating system where the message has it."""
    number = re.search(r"os_error_code='(\d+)'", str(error))
    if number:
        return os.strerror(int(number[1]))
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
