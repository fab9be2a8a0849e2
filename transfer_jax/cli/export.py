"""Writes a trained model as one program that needs JAX and flatbuffers alone.

    python -m experiments.export RUN_OR_MODEL_DIR --out model.jax_export

The program takes images (batch, h, w, c) uint8, of any number, and returns class
probabilities (batch, classes) float32. Scaling and weights are inside, and one file
serves CPU, CUDA and TPU. Beside it, OUT.json has the classes and how to make an input.
To use it (`import jax, jax.export`):

    program = jax.export.deserialize(bytearray(open('model.jax_export', 'rb').read()))
    probabilities = program.call(images)

JAX promises that later versions read the file for at least six months. Convolutions and
pooling have the form that is fast on the kind of device that exports (`traced_on` in
OUT.json). On the others it gives the same numbers up to rounding, if more slowly.
"""

import dataclasses
import importlib.util
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import tyro

from transfer_jax import runs
from transfer_jax.cli import launch
from transfer_jax.runs import folder
from transfer_jax.training import log

PLATFORMS = ('cpu', 'cuda', 'tpu')


@dataclasses.dataclass(frozen=True)
class Command:
    """Exports a trained model."""

    path: tyro.conf.Positional[pathlib.Path]
    """The folder of a finished run, or of one model."""
    out: pathlib.Path = pathlib.Path('model.jax_export')
    """The file to write; OUT.json is written beside it."""
    rule: str = ''
    """Which model of a run: last, source_validation, fixed_validator. Default:
    fixed_validator where the run has one."""
    seed: int | None = None
    """Which seed of the run. Default: the first one."""
    debug: bool = False
    """Show the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command in `args`, by default that of the command line."""
    with launch.command(Command, __doc__, args) as command:
        model = runs.load_model(command.path, command.rule, command.seed)
        description = write(model, command.out)
    log.console.print(
        f'model of rule {model.rule} (seed {model.seed}, step {model.step}): '
        f'{command.out}, described in {description}',
        soft_wrap=True,
    )


def write(model: runs.Model, out: pathlib.Path) -> pathlib.Path:
    """Writes a model's program to `out`; returns the path of its description.

    Raises:
      ValueError: flatbuffers is not installed, or the files cannot be written.
    """
    program = export(model)
    description = out.with_name(f'{out.name}.json')
    part = out.with_name(f'{out.name}.part')
    try:
        part.write_bytes(program.serialize())
        os.replace(part, out)
    except OSError as error:
        raise ValueError(f'cannot write {out}: {error.strerror}') from None
    folder.write_json(description, describe(model, program))
    return description


def export(model: runs.Model) -> jax.export.Exported:
    """The program of a model: (batch, h, w, c) uint8 -> (batch, classes) float32.

    Raises:
      ValueError: flatbuffers, which its file needs, is not installed.
    """
    if importlib.util.find_spec('flatbuffers') is None:
        raise ValueError(
            "an export needs flatbuffers: pip install flatbuffers, or '.[export]'"
        )
    (batch,) = jax.export.symbolic_shape('batch')
    shape = (batch, *model.inputs.size, model.inputs.channels)
    images = jax.ShapeDtypeStruct(shape, np.uint8)

    # Networks count the images of a batch while they are traced, so they see one each;
    # a prediction does not depend on the other images of its batch.
    @jax.jit
    @jax.vmap
    def probabilities(image):
        return model.probabilities(image[None])[0]

    return jax.export.export(probabilities, platforms=PLATFORMS)(images)


def describe(model: runs.Model, program: jax.export.Exported) -> dict[str, Any]:
    """What one must know to use a program without this package."""
    (height, width), channels = model.inputs.size, model.inputs.channels
    (output,) = program.out_avals
    return {
        'classes': list(model.classes),
        'input': {
            'shape': ['batch', height, width, channels],
            'type': 'uint8',
            'channels': 'RGB' if channels == 3 else 'grey, ITU-R 601 luminance of RGB',
            'resize': _resizing(model.inputs),
        },
        'output': {
            'shape': ['batch', int(output.shape[1])],
            'type': str(output.dtype),
            'is': 'probabilities of the classes',
        },
        'platforms': list(program.platforms),
        'traced_on': jax.default_backend(),
        'calling_convention': program.calling_convention_version,
        **{name: getattr(model, name) for name in ('method', 'task', 'rule')},
        **{name: getattr(model, name) for name in ('seed', 'step')},
        'versions': runs.provenance.code()['versions'],
    }


def _resizing(inputs: runs.Inputs) -> str:
    """How an image gets the size of the input, in words."""
    height, width = inputs.size
    if inputs.zoom is None:
        return f'stretch to {width} x {height} pixels, bilinear (Pillow)'
    short = round(inputs.zoom * height)
    return (
        f'scale the shorter side to {short} pixels, bilinear (Pillow), and cut the '
        f'middle {width} x {height}'
    )
