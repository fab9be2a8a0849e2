"""The trained model of a run folder: model.json and the checkpoints beside it.

model.json says which experiment and config built the networks, how an image becomes
their input, and what the classes are. With it, a model is loaded without training data.
"""

import importlib
import json
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import evaluation
from transfer_jax.runs import folder, provenance, stages
from transfer_jax.runs.experiment import Experiment, Inputs
from transfer_jax.runs.recorder import chosen_dir
from transfer_jax.training import TrainState, checkpoint
from transfer_jax.types import Array, PyTree

FILE = 'model.json'
FORMAT = 1


class Model(NamedTuple):
    """A trained classifier of photographs."""

    classes: tuple[str, ...]
    inputs: Inputs
    probabilities: Callable[[Array], Array]  # (n, h, w, c) uint8 -> (n, classes)
    rule: str  # that picked the checkpoint
    seed: int
    step: int


def write(experiment: Experiment, run_dir: pathlib.Path, seed: int, data: Any) -> None:
    """Adds a seed to model.json; the checkpoints are those that the run has saved.

    Args:
      data: of the seed. The scale of inputs may depend on it.
    """
    config, path = experiment.config, run_dir / FILE
    inputs = json.loads(path.read_text())['inputs'] if path.exists() else {}
    inputs[str(seed)] = experiment.inputs(data)._asdict()
    batches, previous = [], stages.starting_point(experiment, data)
    start = None if previous is None else _described(_shapes(previous))
    for stage in experiment.stages:
        # A stream may depend on the state before it; its batches do not.
        batches.append(_described(_shapes(stage.stream(data, previous)[0])))
    content = {
        'format': FORMAT,
        'module': _module(type(config)),
        'config': folder.plain(config),
        'experiment': experiment.name,
        'method': experiment.method,
        'task': experiment.task,
        'rules': [c for c, rule in experiment.rules.items() if not rule.oracle],
        'classes': list(experiment.classes(data)) if experiment.classes else [],
        'inputs': inputs,  # {seed: ...}
        'batches': batches,
        'start': start,
        **provenance.code(),
    }
    folder.write_json(path, content)


def has(run_dir: pathlib.Path, seed: int) -> bool:
    """Whether model.json has a seed."""
    path = run_dir / FILE
    return path.exists() and str(seed) in json.loads(path.read_text())['inputs']


def load(run_dir: str | pathlib.Path, rule: str = '', seed: int | None = None) -> Model:
    """The trained model of a run folder.

    Args:
      rule: which checkpoint: 'last', 'source_validation', 'fixed_validator', ...; by
        default 'fixed_validator' where the run has one and the seed has its number at
        every evaluation, else 'last'.
      seed: by default the first one.

    Raises:
      ValueError: the folder holds no trained model, or no such rule or seed.
    """
    run_dir = pathlib.Path(run_dir)
    content = _read(run_dir)
    if rule and rule not in content['rules']:
        raise ValueError(f'no rule {rule!r}; choose from {", ".join(content["rules"])}')
    seeds = list(map(int, content['inputs']))
    seed = seeds[0] if seed is None else seed
    if seed not in seeds:
        raise ValueError(f'no seed {seed}; choose from {", ".join(map(str, seeds))}')
    if not rule:
        fixed = chosen_dir(run_dir, seed, 'fixed_validator')
        rule = 'fixed_validator' if fixed.is_dir() else 'last'
    experiment = _experiment(content)
    like = jax.eval_shape(lambda: _last_shapes(experiment, content))
    restored = checkpoint.restore(_checkpoints(run_dir, experiment, rule, seed), like)
    if restored is None:
        raise ValueError(
            f'{run_dir} has no checkpoint of rule {rule!r}, seed {seed}: train it to '
            "its end, or choose 'last' if the rule lacks its number at some evaluation "
            '(there is none where source accuracy is 100 %)'
        )
    inputs = Inputs(**content['inputs'][str(seed)])
    predict = evaluation.bind(
        experiment.stages[-1].method, restored.state, inputs.domain
    )
    classes = tuple(content['classes'])
    return Model(
        classes, inputs, _probabilities(predict, inputs), rule, seed, restored.step
    )


def _probabilities(predict, inputs: Inputs) -> Callable[[Array], Array]:
    mean, std = jnp.array(inputs.mean), jnp.array(inputs.std)

    @jax.jit
    def probabilities(predict, image):
        scaled = (image.astype(jnp.float32) / 255 - mean) / std
        return jax.nn.softmax(predict({'image': scaled})['logits'])

    return lambda image: probabilities(predict, jnp.asarray(image))


def _checkpoints(run_dir, experiment, rule, seed) -> pathlib.Path:
    if experiment.rules[rule].name is not None:
        return chosen_dir(run_dir, seed, rule)
    i, stage = len(experiment.stages) - 1, experiment.stages[-1]
    return stages.checkpoint_dir(run_dir, seed, i, stage)


def _last_shapes(experiment: Experiment, content: Mapping[str, Any]) -> TrainState:
    """The first state of the last stage, whose structure its checkpoints have."""
    previous = None
    if content['start'] is not None:
        parts = _zeros(content['start'])
        previous = TrainState(**{'extra': (), **parts, 'values': ()})
    for i, (stage, batch) in enumerate(
        zip(experiment.stages, content['batches'], strict=True)
    ):
        previous = stages.first_state(stage, 0, i, _zeros(batch), previous)()
    return previous


def _experiment(content: Mapping[str, Any]) -> Experiment:
    """The experiment of the config that model.json names."""
    name = content['module']
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f'the model is built by the module {name}, which cannot be imported '
            f'({error}); start from the folder that holds it'
        ) from None
    config = folder.config_of(module.Config, content['config'])
    return module.build(config)


def _module(kind: type) -> str:
    """The importable name of the module that defines a config."""
    name = kind.__module__
    spec = getattr(sys.modules[name], '__spec__', None)
    return spec.name if name == '__main__' and spec is not None else name


def _shapes(tree: PyTree) -> PyTree:
    """Dicts of shapes; of a state, only what a pretrained start has."""
    if isinstance(tree, TrainState):
        tree = {
            name: getattr(tree, name)
            for name in ('step', 'params', 'model_state', 'opt_state')
        }
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype), tree)


def _described(tree: PyTree) -> Any:
    """Nested dicts of shapes as JSON has them: 'float32 48 16 16 3'."""
    if isinstance(tree, Mapping):
        return {key: _described(value) for key, value in tree.items()}
    return ' '.join(map(str, (tree.dtype, *tree.shape)))


def _zeros(content: Any) -> PyTree:
    if isinstance(content, Mapping):
        return {key: _zeros(value) for key, value in content.items()}
    dtype, *shape = content.split()
    return jnp.zeros(tuple(map(int, shape)), dtype)


def _read(run_dir: pathlib.Path) -> dict:
    path = run_dir / FILE
    if not run_dir.is_dir():
        raise ValueError(f'{run_dir}: there is no such run folder')
    if not path.exists():
        inside = sorted(str(file.parent) for file in run_dir.glob(f'*/{FILE}'))
        advice = (
            f'there is one in {", ".join(inside)}'
            if inside
            else 'it is written at the end of a run, by experiments that say how an '
            'image becomes their input'
        )
        raise ValueError(f'{run_dir} holds no trained model ({FILE}): {advice}')
    content = json.loads(path.read_text())
    if content.get('format') != FORMAT:
        raise ValueError(f'{path} has format {content.get("format")}, not {FORMAT}')
    return content
