"""Loads a trained model, from its own folder or from that of a run."""

import importlib
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import evaluation
from transfer_jax.runs import folder, model_folder
from transfer_jax.runs.experiment import Experiment, Inputs
from transfer_jax.runs.model_folder import FILE, WEIGHTS
from transfer_jax.types import Array

ADVISED = 'model'  # where experiments.adapt leaves the model of its advice
LAST = 'last'  # the rule whose model is written last: a seed that has it is finished


class Model(NamedTuple):
    """A trained classifier of photographs."""

    classes: tuple[str, ...]
    inputs: Inputs
    probabilities: Callable[[Array], Array]  # (n, h, w, c) uint8 -> (n, classes)
    rule: str  # that picked the weights
    seed: int
    step: int
    features: Callable[[Array], Array]  # (n, h, w, c) uint8 -> (n, d), of the encoder
    method: str
    task: str


def load(
    path: str | pathlib.Path,
    rule: str = '',
    seed: int | None = None,
    *,
    experiment: Experiment | None = None,
    domain: str = '',
) -> Model:
    """A trained model, from its folder, that of its run, or that of experiments.adapt.

    Args:
      rule: that picked it: 'last', 'source_validation', 'fixed_validator', ...; by
        default 'fixed_validator' where the run has one and the seed has its number at
        every evaluation, else 'last'. For the folder of one model, that of the model.
      seed: by default the first one.
      experiment: of the run; by default that which model.json names.
      domain: of the images to predict; by default that of the model's inputs.

    Raises:
      ValueError: the folder holds no trained model, or no such rule or seed.
    """
    path = pathlib.Path(path)
    if (path / ADVISED / WEIGHTS).exists():
        path = path / ADVISED
    if not (path / WEIGHTS).exists():
        path = _find(path, rule, seed)
    content = model_folder.read(path)
    for name, asked in (('rule', rule or None), ('seed', seed)):
        if asked not in (None, content[name]):
            raise ValueError(
                f'{path} is the model of {name} {content[name]!r}, not {asked!r}: '
                f'leave {name} out, or give the folder of the run'
            )
    if content['inputs'] is None:
        raise ValueError(
            f'{path}: {content["experiment"]} does not say how an image becomes the '
            f'input of its model, which classifies no images; {WEIGHTS} has its weights'
        )
    experiment = experiment or _experiment(content)
    inputs = Inputs(**{k: _plain(v) for k, v in content['inputs'].items()})
    state = model_folder.read_state(path, content)
    method = experiment.stages[-1].method
    predict = evaluation.bind(method, state, domain or inputs.domain)
    return Model(
        tuple(content['classes']),
        inputs,
        _probabilities(predict, inputs),
        content['rule'],
        content['seed'],
        content['step'],
        _features(predict, inputs),
        content['method'],
        content['task'],
    )


def _plain(value: Any) -> Any:
    """A field of Inputs from JSON, which has lists for tuples."""
    return tuple(value) if isinstance(value, list) else value


def _probabilities(predict, inputs: Inputs) -> Callable[[Array], Array]:
    @jax.jit
    def probabilities(predict, image):
        return jax.nn.softmax(predict({'image': _scaled(image, inputs)})['logits'])

    return lambda image: probabilities(predict, jnp.asarray(image))


def _features(predict, inputs: Inputs) -> Callable[[Array], Array]:
    @jax.jit
    def features(predict, image):
        outputs = predict({'image': _scaled(image, inputs)})
        if 'features' not in outputs:
            raise ValueError('the method of this model predicts no features')
        return outputs['features'].reshape(image.shape[0], -1)

    return lambda image: features(predict, jnp.asarray(image))


def _scaled(image: Array, inputs: Inputs) -> Array:
    mean, std = jnp.array(inputs.mean), jnp.array(inputs.std)
    return (image.astype(jnp.float32) / 255 - mean) / std


def _find(run_dir: pathlib.Path, rule: str, seed: int | None) -> pathlib.Path:
    """The folder of a model in that of its run."""
    if not run_dir.is_dir():
        raise ValueError(f'{run_dir}: there is no such run folder')
    last = {
        int(path.parts[-3].removeprefix('seed_')): path.parent
        for path in run_dir.glob(f'models/seed_*/{LAST}/{FILE}')
    }
    if not last:
        raise ValueError(_nothing(run_dir))
    seeds = sorted(last)
    seed = seeds[0] if seed is None else seed
    if seed not in seeds:
        raise ValueError(f'no seed {seed}; choose from {", ".join(map(str, seeds))}')
    if not rule:
        fixed = model_folder.rule_dir(run_dir, seed, 'fixed_validator')
        return last[seed] if model_folder.step_of(fixed) is None else fixed
    path = model_folder.rule_dir(run_dir, seed, rule)
    if model_folder.step_of(path) is None:
        rules = _experiment(model_folder.read(last[seed])).rules.items()
        names = [name for name, one in rules if not one.oracle]
        if rule not in names:
            raise ValueError(f'no rule {rule!r}; choose from {", ".join(names)}')
        raise ValueError(
            f'{run_dir} has no model of rule {rule!r}, seed {seed}: train it to its '
            "end, or choose 'last' if the rule lacks its number at some evaluation "
            '(there is none where source accuracy is 100 %)'
        )
    return path


def _nothing(run_dir: pathlib.Path) -> str:
    """Why a folder that holds no model holds none."""
    if (run_dir / FILE).exists():
        model_folder.read(run_dir)  # of an earlier version, or without its weights
        return f'{run_dir} has {FILE} without {WEIGHTS}: copy the whole folder'
    inside = sorted({str(path.parents[3]) for path in run_dir.glob(_BELOW)})
    advice = (
        f'there is one in {", ".join(inside)}'
        if inside
        else 'it is written at the end of a run, by experiments that say how an image '
        'becomes their input'
    )
    return f'{run_dir} holds no trained model (models/seed_S/RULE/{FILE}): {advice}'


_BELOW = f'*/models/seed_*/{LAST}/{FILE}'


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
