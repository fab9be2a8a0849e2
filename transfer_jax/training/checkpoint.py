"""Checkpoints by orbax, each with the digest of its arrays.

A folder keeps the newest two. A checkpoint that cannot be read, or whose arrays do not
have the digest that was saved with them, is set aside and the one before is used.
"""

import contextlib
import hashlib
import logging
import pathlib
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


class Restored(NamedTuple):
    """A state and the step it stands after."""

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
    """
    if not folder.is_dir():
        return None
    wanted = jax.tree.map(_abstract, _as_dict(like))
    steps = [step for step in _steps(folder) if upto is None or step <= upto]
    for step in sorted(steps, reverse=True):
        try:
            tree, saved = _load(folder / str(step), wanted)
            if digest(tree) != saved:
                raise ValueError('its arrays are not those that were saved')
        except Exception as error:  # damage shows itself as almost any exception
            _set_aside(folder, step, _reason(error))
        else:
            # Loaded arrays may share host memory with the reader: take copies.
            tree = jax.tree.map(jax.numpy.array, tree)
            return Restored(like.replace(**tree), step)
    return None


def _as_dict(state: TrainState) -> dict[str, PyTree]:
    saved = [name for name in state.__dataclass_fields__ if name != 'values']
    return {name: getattr(state, name) for name in saved}


def _abstract(leaf):
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _load(place: pathlib.Path, wanted: PyTree) -> tuple[PyTree, str]:
    """(the tree on one device, the digest saved with it)."""
    from orbax.checkpoint import v1 as ocp  # 1.6 s: only where it is used

    logging.getLogger('absl').setLevel(logging.ERROR)
    context = contextlib.nullcontext()
    if jax.process_count() > 1:
        # Each reads the whole state, without waiting for the others.
        own = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(
            primary_host=own,
            active_processes={own},
            barrier_sync_key_prefix=f'process_{own}',
        )
        context = ocp.Context(multiprocessing_options=alone)
    with context:
        tree = ocp.load(place.absolute(), wanted)
        saved = ocp.metadata(place.absolute()).custom_metadata['digest']
    return tree, saved


def _checkpointer(folder: pathlib.Path, keep: int):
    from orbax.checkpoint import v1 as ocp

    logging.getLogger('absl').setLevel(logging.ERROR)
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
    place = folder / f'damaged_{step}'
    if parallel.is_first():
        shutil.rmtree(place, ignore_errors=True)
        (folder / str(step)).rename(place)
    warnings.warn(
        f'checkpoint {step} in {folder} is damaged ({reason}); set aside as '
        f'{place.name}, using the one before',
        stacklevel=3,
    )


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
