"""A trained model in a folder of its own: model.json and weights.safetensors.

A run has one for each rule that reads no target labels: RUN_DIR/models/seed_S/RULE. The
folder is self-contained: it may be copied, and loading it needs no training data and no
checkpoint, only the code that builds the networks.

model.json           how to build the networks, classes, inputs, rule, seed, step, code
weights.safetensors  params, model_state and, where predictions read it, extra
"""

import errno
import hashlib
import json
import pathlib
import shutil
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import evaluation
from transfer_jax.runs import folder, provenance, weights
from transfer_jax.runs.experiment import Experiment
from transfer_jax.training import Method, TrainState
from transfer_jax.types import PyTree

FILE = 'model.json'
WEIGHTS = 'weights.safetensors'
FORMAT = 2


def about(experiment: Experiment, seed: int, data: Any) -> dict[str, Any]:
    """What model.json says of all models of a seed.

    Args:
      data: of the seed. Classes and the scale of inputs may depend on it.
    """
    config = experiment.config
    return {
        'format': FORMAT,
        'module': _module(type(config)),
        'config': folder.plain(config),
        'experiment': experiment.name,
        'method': experiment.method,
        'task': experiment.task,
        'classes': list(experiment.classes(data)) if experiment.classes else [],
        'inputs': experiment.inputs(data)._asdict() if experiment.inputs else None,
        'seed': seed,
        **provenance.code(),
    }


def rule_dir(run_dir: pathlib.Path, seed: int, rule: str) -> pathlib.Path:
    """The folder of the model that a rule picks."""
    return run_dir / 'models' / f'seed_{seed}' / rule


def step_of(path: pathlib.Path) -> int | None:
    """The step of the model in a folder; None where there is none."""
    whole = (path / FILE).exists() and (path / WEIGHTS).exists()
    return json.loads((path / FILE).read_text())['step'] if whole else None


class Picked(NamedTuple):
    """A state that a rule picks."""

    rule: str
    step: int
    method: Method
    state: TrainState


def write(path: pathlib.Path, about: Mapping[str, Any], picked: Picked) -> None:
    """Writes a model's folder, in place of an older one, whole or not at all.

    Args:
      about: of its seed, see `about`.

    Raises:
      FolderError: the disk is full or the folder cannot be written.
      ValueError: the state holds what cannot be saved, see weights.write.
    """
    part = path.with_name(f'{path.name}.part')
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        weights.write(part / WEIGHTS, _needed(picked, about['inputs']))
        chosen = {'rule': picked.rule, 'step': picked.step}
        digest = {'sha256': _sha256(part / WEIGHTS)}
        folder.write_json(part / FILE, {**about, **chosen, **digest})
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise folder.FolderError(
            f'cannot write model {path}: {error.strerror or error}'
            + ('; make room and start the same command again' if full else '')
        ) from error


def read(path: pathlib.Path) -> dict:
    """The content of model.json."""
    try:
        content = json.loads((path / FILE).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f'{path / FILE}: cannot be read ({error})') from None
    if content.get('format') != FORMAT:
        raise ValueError(
            f'{path / FILE} has format {content.get("format")}, not {FORMAT}: another '
            'version of the code wrote it. Start the command of its run again'
        )
    return content


def read_state(path: pathlib.Path, content: Mapping[str, Any]) -> TrainState:
    """The state of a model, without an optimiser.

    Args:
      content: of its model.json.

    Raises:
      ValueError: the weights are damaged, or of another model.
    """
    if content['sha256'] != _sha256(path / WEIGHTS):
        raise ValueError(
            f'{path / WEIGHTS} is damaged, or of another model: its SHA-256 digest is '
            f'not that of {FILE}; copy the folder again'
        )
    return _state(weights.read(path / WEIGHTS), content['step'])


def _needed(picked: Picked, inputs: Mapping[str, Any] | None) -> PyTree:
    """What a prediction for the domain of the inputs reads of a state."""
    state = picked.state
    tree = {'params': state.params, 'model_state': state.model_state}
    if jax.tree.leaves(state.extra) and _reads_extra(picked.method, tree, inputs):
        tree['extra'] = state.extra
    return jax.device_get(tree)


def _reads_extra(method: Method, tree: PyTree, inputs: Mapping[str, Any] | None):
    """Whether a prediction fails with the parameters and model state alone."""
    if inputs is None:  # of which domain is not known
        return True
    shape = (1, *inputs['size'], inputs['channels'])
    batch = {'image': jax.ShapeDtypeStruct(shape, jnp.float32)}
    try:
        jax.eval_shape(
            evaluation.bind(method, _state(tree, 0), inputs['domain']), batch
        )
    except Exception:  # looking into () shows itself as any of several
        return True
    return False


def _state(tree: Mapping[str, PyTree], step: int) -> TrainState:
    parts = {'extra': (), **jax.tree.map(jnp.asarray, dict(tree))}
    return TrainState(step=jnp.asarray(step, jnp.int32), opt_state=(), **parts)


def _module(kind: type) -> str:
    """The importable name of the module that defines a config."""
    name = kind.__module__
    spec = getattr(sys.modules[name], '__spec__', None)
    return spec.name if name == '__main__' and spec is not None else name


def _sha256(path: pathlib.Path) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
