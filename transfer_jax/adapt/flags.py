"""The flags of experiments.adapt, with their help."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from transfer_jax.adapt import experiment
from transfer_jax.cli import arithmetic


def _or(default: str, kind: str):
    """Help of a flag whose default is chosen later: what it is, and its type."""
    return tyro.conf.arg(metavar=kind, help_behavior_hint=f'(default: {default})')


@dataclasses.dataclass(frozen=True)
class Command:
    """The flags of the command."""

    source: str
    """Labelled images: a folder of class folders, a .csv (file,label), an .npz or
    tfds:NAME."""
    target: str
    """Unlabelled images: any folder, or an .npz. Labels are not read."""
    target_test: Annotated[str | None, _or('none', 'PATH')] = None
    """Labelled target images, for evaluation only: training and advice never see
    them."""
    target_labelled: Annotated[str | None, _or('none', 'PATH')] = None
    """A few labelled target images that training may use; they join the source."""
    method: str = experiment.DEFAULT
    """A deep method (mcc, dann, cdan, bnm, deep_coral, ...), a shallow one on frozen
    features (coral, subspace_alignment, gfk, tca, jda, tjm, entropic_transport), or
    source_only."""
    backbone: Annotated[
        str | None, _or('the best of the weights in the data folder', 'NAME')
    ] = None
    """Network: a name of transfer_jax/recipes/backbones.py (squeezenet, resnet50,
    vit_small, ...) or hf:OWNER/REPOSITORY; or small and small_convnet, which start from
    random weights."""
    size: Annotated[
        int | None, _or('that of the network, on CPU at most 96', 'PIXELS')
    ] = None
    """Side of the images."""
    norm: Annotated[
        str | None,
        _or(
            'separate statistics of the domains, where the network has norm layers',
            'NAME',
        ),
    ] = None
    """Batch-norm policy: none, joint, separate, source, dsbn, autodial."""
    steps: Annotated[
        int | None, _or('20 epochs of the larger domain, from 200 to 2,000', 'INT')
    ] = None
    """Training steps."""
    batch: Annotated[int | None, _or('half the smaller domain, at most 32', 'INT')] = (
        None
    )
    """Images of each domain in a step."""
    rate: float = 1e-3
    """Adam's rate of the new layers at the start."""
    encoder_rate: Annotated[float | None, _or('0.1', 'FLOAT')] = None
    """Rate of the pretrained layers over that of the new ones."""
    weight: Annotated[
        float | None, _or('10 for mcc, the published one for others', 'FLOAT')
    ] = None
    """Weight of the loss that the method adds."""
    augment: bool = True
    """Flip and zoom into training images at random."""
    seeds: int = 1
    """Number of seeds, 0 to seeds - 1. The report compares them."""
    plan: bool = False
    """Print what would be done, and stop."""
    skip_unreadable: bool = False
    """Leave out damaged files, with a warning, instead of stopping."""
    large_images: bool = False
    """Read images above Pillow's limit of pixels."""
    run_dir: Annotated[
        pathlib.Path | None, _or('runs/adapt/SOURCE_to_TARGET', 'PATH')
    ] = None
    """Folder of the results."""
    data_dir: Annotated[
        str | None, _or('$TRANSFER_JAX_DATA, else ~/tensorflow_datasets', 'PATHS')
    ] = None
    """Folders that may hold weights/, separated by ':'."""
    compute: arithmetic.Field = arithmetic.Flags()
    debug: bool = False
    """Show the traceback of an error."""
