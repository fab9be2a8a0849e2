"""Networks of the Hugging Face Hub, fetched by a fake of huggingface_hub."""

import hashlib
import json
import pathlib
import sys
import types

import jax
import numpy as np
import pytest

from transfer_jax import data, models, tree
from transfer_jax.models import weights
from transfer_jax.recipes import backbones, encoders, hub

NAME = 'hf:timm/resnet18.small'
MAPPING = weights.MAPPINGS['resnet18']
CONFIG = {
    'architecture': 'resnet18',
    'num_classes': 3,
    'global_pool': 'avg',
    'pretrained_cfg': {
        'input_size': [3, 160, 160],
        'mean': [0.1, 0.2, 0.3],
        'std': [0.5, 0.6, 0.7],
        'num_classes': 1000,
    },
}


def _file(path):
    """Weights of a ResNet-18 of three classes, zeros under timm's names."""
    shapes = backbones.variable_shapes(models.ResNet(classes=3, depth=18), 32)
    named, theirs = {}, {ours: theirs for theirs, ours in MAPPING.layers.items()}
    leaves = {'weight': ('kernel', 'scale'), 'bias': ('bias', 'shift')}
    leaves |= {'running_mean': ('mean',), 'running_var': ('variance',)}
    for name, leaf in zip(tree.paths(shapes), jax.tree.leaves(shapes), strict=True):
        ours, _, array = name.partition('/')[2].rpartition('/')
        kind = next(kind for kind, names in leaves.items() if array in names)
        shape = leaf.shape[1:] if name.startswith('batch_stats') else leaf.shape
        if array == 'kernel':
            shape = shape[:1:-1] + shape[:2] if len(shape) == 4 else shape[::-1]
        named[f'{theirs[ours]}.{kind}'] = np.zeros(shape, np.float32)
    weights.write(path, named)


class Hub:
    """Serves the files of a folder, counts the fetches, and can be out of reach."""

    def __init__(self, folder):
        self.folder, self.fetched, self.reachable = folder, [], True

    def hf_hub_download(self, repo_id, filename, local_dir):
        if not self.reachable:
            raise ConnectionError('no network\nat all')
        self.fetched.append((repo_id, filename))
        path = pathlib.Path(local_dir) / filename
        path.write_bytes((self.folder / filename).read_bytes())
        return str(path)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The fake, and an empty data folder."""
    folder, kept = tmp_path / 'hub', tmp_path / 'data'
    folder.mkdir()
    kept.mkdir()
    (folder / 'config.json').write_text(json.dumps(CONFIG))
    server = Hub(folder)
    module = types.ModuleType('huggingface_hub')
    module.__spec__ = types.SimpleNamespace()
    module.hf_hub_download = server.hf_hub_download
    monkeypatch.setitem(sys.modules, 'huggingface_hub', module)
    monkeypatch.setenv('TRANSFER_JAX_DATA', str(kept))
    return server, kept


def test_the_row_is_that_of_config_json(fake):
    server, _ = fake
    row = backbones.get(NAME)
    assert row.mean == (0.1, 0.2, 0.3)
    assert row.std == (0.5, 0.6, 0.7)
    assert (row.size, row.classes, row.mapping) == (160, 3, MAPPING)
    assert row.file == 'weights/hf/timm--resnet18.small/model.safetensors'
    assert encoders.size(NAME) == 160
    assert encoders.has_norm(NAME)
    assert encoders.layers(NAME) == encoders.layers('resnet18')
    assert encoders.build(NAME) == encoders.build('resnet18')
    assert server.fetched == [('timm/resnet18.small', 'config.json')]


def test_weights_are_fetched_once_and_their_digest_is_compared(fake):
    server, kept = fake
    _file(server.folder / 'model.safetensors')
    params, _ = backbones.load(NAME)
    assert params['logits']['kernel'].shape == (512, 3)
    path = kept / backbones.get(NAME).file
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = path.with_name('model.safetensors.sha256')
    assert beside.read_text() == f'{expected}  model.safetensors\n'
    assert sorted(p.name for p in path.parent.iterdir()) == [
        'config.json',
        'model.safetensors',
        'model.safetensors.sha256',
    ]

    server.reachable = False
    encoder = encoders.load(NAME)
    assert 'logits' not in encoder.params
    np.testing.assert_allclose(encoder.mean, [0.1, 0.2, 0.3])
    assert len(server.fetched) == 2

    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'digest is \w+, but .*sha256 .*{expected}'):
        backbones.load(NAME)
    beside.unlink()  # a file put there by hand
    assert hub.locate(NAME) == path
    assert hub.kept_digest(path) == hub.digest(path) != expected


def test_what_is_missing_is_one_line(fake, monkeypatch):
    server, _ = fake
    server.reachable = False
    with pytest.raises(data.MissingData, match='or put config.json of hugg') as error:
        backbones.get(NAME)
    assert '(ConnectionError: no network)' in str(error.value)
    assert '\n' not in str(error.value)
    monkeypatch.setattr(hub.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(data.MissingData, match='pip install huggingface_hub'):
        encoders.build(NAME)


def test_names_and_files_of_others(fake):
    server, kept = fake
    for name in ('hf:resnet50', 'hf:timm/../x/y', 'hf:'):
        with pytest.raises(ValueError, match='is not of the form hf:OWNER/REPOSITORY'):
            backbones.get(name)
    config = server.folder / 'config.json'
    config.write_text(json.dumps({**CONFIG, 'architecture': 'swin_tiny'}))
    with pytest.raises(ValueError, match="'swin_tiny' is none of resnet18, resnet34"):
        backbones.get(NAME)
    path = kept / 'weights/hf/timm--resnet18.small/config.json'
    for text in ('{', '[]', '{"architectures": ["ViTModel"]}'):
        path.write_text(text)
        with pytest.raises(ValueError, match='config.json: is no config.json of timm'):
            backbones.get(NAME)


@pytest.mark.parametrize('name', hub.ARCHITECTURES)
def test_every_architecture_is_a_row_with_fields_of_its_module(fake, name):
    server, _ = fake
    config = {**CONFIG, 'architecture': name, 'num_classes': 0}
    (server.folder / 'config.json').write_text(json.dumps(config))
    row = backbones.get(NAME)
    module = row.module(classes=0)
    if 'vit' in name or 'deit' in name:
        assert module.pool == 'mean'  # of global_pool avg
        assert row.mapping.name == 'vit_mean'
        assert module.grid == int(name[-3:]) // 16
    elif name.startswith('tf_'):
        assert (module.same, module.epsilon) == (True, 1e-3)
    assert row.module().classes == 0
