"""Files of named arrays: .safetensors, .npz and, if PyTorch is installed, its files."""

import importlib.util
import os
import pathlib
import pickle
import zipfile
from collections.abc import Mapping

import numpy as np
import safetensors
import safetensors.numpy

TORCH = ('.pth', '.pt', '.th')
SUFFIXES = ('.safetensors', '.npz', *TORCH)
WRAPPERS = ('state_dict', 'model')  # keys that hold the tensors in some checkpoints


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """{name: array} of a file, with the file's types. No code of the file is executed.

    Raises:
      ValueError: the file is missing, damaged or of another kind, or needs PyTorch.
    """
    path = pathlib.Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f'{path}: weights are read from {", ".join(SUFFIXES)}')
    if not path.is_file():
        raise ValueError(f'{path}: no such file')
    try:
        if path.suffix == '.safetensors':
            return safetensors.numpy.load_file(path)
        if path.suffix == '.npz':
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        return _read_torch(path)
    except (
        safetensors.SafetensorError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f'{path}: cannot be read ({line})') from None


def write(path: str | os.PathLike, named: Mapping[str, np.ndarray]) -> None:
    """Write a .safetensors file."""
    arrays = {name: np.ascontiguousarray(array) for name, array in named.items()}
    safetensors.numpy.save_file(arrays, path)


def _read_torch(path):
    if importlib.util.find_spec('torch') is None:
        raise ValueError(
            f'{path}: reading it needs PyTorch (pip install torch); or convert it on a '
            'machine with PyTorch: safetensors.torch.save_file(state_dict, PATH)'
        )
    import torch

    content = torch.load(path, map_location='cpu', weights_only=True)
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(f'{path}: holds a {type(content).__name__}, not named tensors')
    tensors = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise ValueError(
            f'{path}: holds no tensors but {", ".join(map(str, content))}: save '
            'the one of these that has them, in a separate file'
        )
    return {
        name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        for name, tensor in tensors.items()
    }
