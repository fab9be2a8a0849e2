"""Files of named arrays: written arrays are read back, and nothing is executed."""

import importlib.machinery
import pickle
import sys
import types

import numpy as np
import pytest

from transfer_jax.models import weights
from transfer_jax.models.weights import files

NAMED = {'a.weight': np.arange(6, dtype=np.float16).reshape(2, 3), 'b': np.ones(1)}


def _same(actual):
    assert set(actual) == set(NAMED)
    for name, array in NAMED.items():
        assert actual[name].dtype == array.dtype
        np.testing.assert_array_equal(actual[name], array)


def test_safetensors(tmp_path):
    weights.write(tmp_path / 'x.safetensors', NAMED)
    _same(weights.read(tmp_path / 'x.safetensors'))


def test_a_transposed_array_is_written_in_its_order(tmp_path):
    weights.write(tmp_path / 'x.safetensors', {'a': NAMED['a.weight'].T})
    actual = weights.read(tmp_path / 'x.safetensors')['a']
    np.testing.assert_array_equal(actual, NAMED['a.weight'].T)


def test_npz(tmp_path):
    np.savez(tmp_path / 'x.npz', **NAMED)
    _same(weights.read(tmp_path / 'x.npz'))
    np.savez(tmp_path / 'x.npz', a=np.array([{}], object))
    with pytest.raises(ValueError, match='pickle'):
        weights.read(tmp_path / 'x.npz')


class _Evil:
    def __reduce__(self):
        return pytest.fail, ('executed',)


def test_pytorch(tmp_path):
    torch = pytest.importorskip('torch')

    tensors = {name: torch.from_numpy(array) for name, array in NAMED.items()}
    for number, held in enumerate((tensors, {'state_dict': tensors, 'epoch': 3})):
        torch.save(held, tmp_path / f'{number}.pth')
        _same(weights.read(tmp_path / f'{number}.pth'))
    torch.save([1], tmp_path / 'x.pt')
    with pytest.raises(ValueError, match='x.pt: holds a list, not named tensors'):
        weights.read(tmp_path / 'x.pt')
    (tmp_path / 'evil.pt').write_bytes(pickle.dumps(_Evil(), protocol=2))
    with pytest.raises(ValueError, match='evil.pt: cannot be read'):
        weights.read(tmp_path / 'evil.pt')


def test_pytorch_is_not_needed_until_its_file_is_read(tmp_path, monkeypatch):
    (tmp_path / 'x.pth').write_bytes(b'')
    monkeypatch.setattr(files.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match='pip install torch.*or convert'):
        weights.read(tmp_path / 'x.pth')


def test_errors_name_the_file(tmp_path):
    with pytest.raises(ValueError, match='x.h5: weights are read from .safetensors'):
        weights.read(tmp_path / 'x.h5')
    with pytest.raises(ValueError, match='x.npz: no such file'):
        weights.read(tmp_path / 'x.npz')
    for suffix in ('safetensors', 'npz'):
        file = tmp_path / f'broken.{suffix}'
        file.write_bytes(b'PK\x03\x04 and no more')
        with pytest.raises(ValueError, match=f'broken.{suffix}: cannot be read'):
            weights.read(file)


def test_a_checkpoint_of_several_networks_names_them(tmp_path, monkeypatch):
    """Such as {'student': {...}, 'teacher': {...}}; PyTorch's part is simulated."""
    torch = types.ModuleType('torch')
    torch.__spec__ = importlib.machinery.ModuleSpec('torch', None)
    torch.Tensor = np.ndarray
    torch.load = lambda path, **options: {
        'student': NAMED,
        'teacher': NAMED,
        'epoch': 3,
    }
    monkeypatch.setitem(sys.modules, 'torch', torch)
    (tmp_path / 'x.pth').write_bytes(b'')
    with pytest.raises(
        ValueError, match='no tensors but student, teacher, epoch: save'
    ):
        weights.read(tmp_path / 'x.pth')
