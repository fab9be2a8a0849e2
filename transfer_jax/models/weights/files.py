"""Files of named arrays: .safetensors, .npz, and PyTorch's where PyTorch is there."""

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
WRAPPERS = ('state_dict', 'model')  # keys under which trainers put a net's tensors


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """{name: array} of a file, in the types of the file; nothing in it is executed.

    Raises:
      ValueError: no such file, of another kind or damaged, or PyTorch is needed.
    """
    path = pathlib.Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f'{path}: weights are read from {", ".join(SUFFIXES)}')
    if not path.is_file():
        raise ValueError(f'{path}: there is no such file')
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
    ) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f'{path}: cannot be read ({line})') from None


def write(path: str | os.PathLike, named: Mapping[str, np.ndarray]) -> None:
    """Writes a .safetensors file."""
    arrays = {name: np.ascontiguousarray(array) for name, array in named.items()}
    safetensors.numpy.save_file(arrays, path)


def _read_torch(path):
    if importlib.util.find_spec('torch') is None:
        raise ValueError(
            f'{path}: reading it needs PyTorch (pip install torch); or convert it '
            'where PyTorch is: safetensors.torch.save_file(state_dict, PATH)'
        )
    import torch

    found = torch.load(path, map_location='cpu', weights_only=True)
    for key in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping):
        raise ValueError(f'{path}: holds a {type(found).__name__}, not named tensors')
    tensors = {k: v for k, v in found.items() if isinstance(v, torch.Tensor)}
    return {
        name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        for name, tensor in tensors.items()
    }
