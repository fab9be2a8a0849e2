"""Pretrained networks of the Hugging Face Hub by name: 'hf:timm/resnet50.a1_in1k'.

The files of timm's networks (config.json and model.safetensors) are kept in
weights/hf/OWNER--REPOSITORY/ of the data folder, with the SHA-256 digest of the weights
beside them. They are fetched once, if huggingface_hub is installed and there is a
network. Afterwards neither is needed, and the digest is compared.
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import re
import tempfile
from typing import Any, NamedTuple

from transfer_jax import models
from transfer_jax.data import files

PREFIX = 'hf:'
WEIGHTS, CONFIG = 'model.safetensors', 'config.json'
DIGEST = '.sha256'  # after the name of the weights
_NAME = re.compile(r'hf:([\w.-]+)/([\w.-]+)')


class Found(NamedTuple):
    """What config.json says about a network.

    Attributes:
      row: the network of ours, a key of backbones.PRETRAINED.
      mapping: of the file's names, a key of weights.MAPPINGS.
      fields: of the module, beside those of the row.
      file: path of the weights below the data folder.
      mean, std, size, classes, origin: as in backbones.Pretrained.
    """

    row: str
    mapping: str
    fields: dict[str, Any]
    file: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int
    classes: int
    origin: str


_SAME = {'same': True, 'epsilon': 1e-3}  # weights of Google's, trained in TensorFlow
# {timm's architecture: (row, mapping, fields of the module)}
ARCHITECTURES: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{f'resnet{n}': (f'resnet{n}', f'resnet{n}', {}) for n in (18, 34, 50, 101)},
    **{f'vgg{n}': (f'vgg{n}', f'vgg{n}_timm', {}) for n in (16, 19)},
    'mobilenetv2_100': (
        'mobilenet_v2',
        'mobilenet_v2_timm',
        {'norm': models.BatchNorm, 'same': False},
    ),
    'efficientnet_b0': ('efficientnet_b0', 'efficientnet_b0_timm', {}),
    'tf_efficientnet_b0': ('efficientnet_b0', 'efficientnet_b0_timm', _SAME),
    'convnext_tiny': ('convnext_tiny', 'convnext_tiny_timm', {}),
    **{
        f'{kind}_{width}_patch16_{size}': (f'vit_{width}', 'vit', {'grid': size // 16})
        for kind, width, size in (
            ('vit', 'small', 224),
            ('vit', 'small', 384),
            ('vit', 'base', 224),
            ('vit', 'base', 384),
            ('deit', 'small', 224),
            ('deit', 'base', 224),
            ('deit', 'base', 384),
        )
    },
}


def is_hub(name: str) -> bool:
    """Whether a backbone's name is one of the Hub's."""
    return name.startswith(PREFIX)


def describe(name: str, data_dir: str | None = None) -> Found:
    """What config.json says; it is fetched if no data folder has it.

    Raises:
      MissingData: it is not there and cannot be fetched.
      ValueError: no such name, or an architecture that is none of ours.
    """
    path = _kept(name, CONFIG, data_dir) or _fetch(name, CONFIG, data_dir)
    try:
        config = json.loads(path.read_text(encoding='utf-8'))
        given = {**config, **config.get('pretrained_cfg', {})}
        architecture, classes = config['architecture'], config['num_classes']
        mean, std = tuple(given['mean']), tuple(given['std'])
        size = int(given['input_size'][-1])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path}: is no config.json of timm ({type(error).__name__}: {error})'
        ) from None
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f'{name}: its architecture {architecture!r} is none of '
            f'{", ".join(ARCHITECTURES)}'
        )
    row, mapping, fields = ARCHITECTURES[architecture]
    if mapping == 'vit' and config.get('global_pool') == 'avg':
        mapping, fields = 'vit_mean', {**fields, 'pool': 'mean'}
    if not classes:
        fields = {**fields, 'classes': 0}
    return Found(
        row,
        mapping,
        fields,
        _below(name, WEIGHTS),
        mean,
        std,
        size,
        classes,
        _address(name),
    )


def locate(name: str, data_dir: str | None = None) -> pathlib.Path:
    """The file of the weights, whose digest is the kept one; fetched if it is missing.

    Raises:
      MissingData: it is not there and cannot be fetched.
      ValueError: it is not the file that was fetched.
    """
    path = _kept(name, WEIGHTS, data_dir)
    if path is None:
        return _fetch(name, WEIGHTS, data_dir)
    found, expected = digest(path), kept_digest(path)
    if expected is None:  # put there by hand
        _write_digest(path, found)
    elif found != expected:
        raise ValueError(
            f'{path}: its SHA-256 digest is {found}, but {path.name}{DIGEST} beside it '
            f'has {expected}: delete both files to fetch it again'
        )
    return path


def digest(path: pathlib.Path) -> str:
    """The SHA-256 digest of a file, in hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def kept_digest(path: pathlib.Path) -> str | None:
    """The digest in the file beside the weights; None if there is none."""
    beside = path.with_name(path.name + DIGEST)
    return beside.read_text().split()[0] if beside.is_file() else None


def _kept(name: str, file: str, data_dir: str | None) -> pathlib.Path | None:
    """The path of a file in the first data folder that has it."""
    below = _below(name, file)
    paths = (folder / below for folder in files.data_dirs(data_dir))
    return next((path for path in paths if path.is_file()), None)


def _fetch(name: str, file: str, data_dir: str | None) -> pathlib.Path:
    """Fetch a file into the first data folder."""
    dirs = files.data_dirs(data_dir)
    path = dirs[0] / _below(name, file)
    missing = f'{_below(name, file)} is missing under {", ".join(map(str, dirs))}'
    by_hand = f'put {file} of {_address(name)} there'
    if importlib.util.find_spec('huggingface_hub') is None:
        raise files.MissingData(
            f'{name}: {missing}. To fetch it: pip install huggingface_hub; or {by_hand}'
        )
    import huggingface_hub

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        try:
            fetched = huggingface_hub.hf_hub_download(
                repo_id=name.removeprefix(PREFIX), filename=file, local_dir=temporary
            )
        except Exception as error:  # of the network or the Hub, of many types
            line = (str(error).splitlines() or [''])[0]
            raise files.MissingData(
                f'{name}: {missing} and cannot be fetched ({type(error).__name__}: '
                f'{line}). With a network, run this again; or {by_hand}'
            ) from None
        if file == WEIGHTS:
            _write_digest(path, digest(pathlib.Path(fetched)))
        os.replace(fetched, path)
    return path


def _write_digest(path: pathlib.Path, sha256: str) -> None:
    """As sha256sum writes it, so that `sha256sum -c` reads it."""
    path.with_name(path.name + DIGEST).write_text(f'{sha256}  {path.name}\n')


def _below(name: str, file: str) -> str:
    """The path of a file below the data folder."""
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise ValueError(f'{name!r} is not of the form hf:OWNER/REPOSITORY')
    return f'weights/hf/{matched[1]}--{matched[2]}/{file}'


def _address(name: str) -> str:
    return f'huggingface.co/{name.removeprefix(PREFIX)}'
