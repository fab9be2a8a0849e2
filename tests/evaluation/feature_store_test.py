"""Features in files: as in memory, resumed exactly, refused where they do not fit."""

import resource

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from transfer_jax import data, evaluation
from transfer_jax.evaluation import feature_store

IMAGE = np.random.default_rng(0).integers(0, 256, (23, 4, 4, 3), np.uint8)
LAYERS = ('logits', 'block/1')


def _answers(weight, batch):
    x = batch['image'].astype(jnp.float32)
    return {'logits': x.mean((1, 2)) * weight, 'block/1': x[:, ::2]}


def _extract(
    images=IMAGE, weight=2.0, batch=5, layers=LAYERS, directory=None, wrap=None
):
    predict = Partial(_answers, jnp.float32(weight))
    batches = data.batches(data.Images(images), batch)
    batches = wrap(batches) if wrap else batches
    return evaluation.extract(predict, batches, layers, directory=directory)


class _Cut:
    """Batches of which one kills the process, as far as a test can."""

    def __init__(self, batches, at):
        self._batches, self._at, self.read = batches, at, []

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, number):
        self.read.append(number)
        if number == self._at:
            raise KeyboardInterrupt
        return self._batches[number]


def test_files_hold_the_bits_of_memory(tmp_path, same_bits):
    in_memory = _extract()
    stored = _extract(directory=tmp_path / 'new' / 'folder')
    assert all(isinstance(rows, np.memmap) for rows in stored.values())
    same_bits(in_memory, {k: np.asarray(v) for k, v in stored.items()})
    assert stored['block/1'].shape == (23, 2, 4, 3)


@pytest.mark.parametrize('torn', [False, True])
def test_killed_half_way_and_resumed_is_straight(tmp_path, torn, same_bits):
    with pytest.raises(KeyboardInterrupt):
        _extract(directory=tmp_path, wrap=lambda b: _Cut(b, 2))
    if torn:  # killed between the rows and the word that they count
        with open(tmp_path / 'logits.npy', 'ab') as file:
            file.write(b'half a row')
    seen = []

    def watched(batches):
        seen.append(_Cut(batches, -1))
        return seen[0]

    stored = _extract(directory=tmp_path, wrap=watched)
    same_bits(_extract(), {k: np.asarray(v) for k, v in stored.items()})
    assert seen[0].read[2:] == [2, 3, 4]  # after the two that the digest reads
    again = _extract(directory=tmp_path, wrap=watched)
    same_bits(_extract(), {k: np.asarray(v) for k, v in again.items()})


@pytest.mark.parametrize(
    'other',
    [
        {'weight': 3.0},
        {'batch': 6},
        {'images': IMAGE[:20]},
        {'images': 255 - IMAGE},
        {'layers': ('logits',)},
    ],
)
def test_a_folder_of_other_features_is_refused(tmp_path, other):
    _extract(directory=tmp_path)
    with pytest.raises(ValueError, match='other images, layers or parameters') as error:
        _extract(directory=tmp_path, **other)
    assert '\n' not in str(error.value)


def test_a_folder_with_files_of_someone_else_is_refused(tmp_path):
    np.save(tmp_path / 'logits.npy', np.zeros(3))
    with pytest.raises(ValueError, match='no progress.json'):
        _extract(directory=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / 'logits.npy'), 0)


def test_a_headers_room_holds_any_number_of_rows(tmp_path):
    files = feature_store.FeatureFolder(tmp_path, 'x')
    for count in (1, 9, 90, 900):  # 1, 10, 100, 1000 rows: more digits each time
        files.append({'a': np.full((count, 2), count, np.int16)})
        rows = files.read()['a']
        assert rows.dtype == np.int16 and (rows[-1] == count).all()
    assert rows.shape == (1000, 2) and (rows[0] == 1).all()


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    """60 MB of features by batches of 0.6 MB."""

    def answers(batch):
        return {'wide': jnp.tile(batch['image'].reshape(-1, 48) * 1.0, (1, 320))}

    class Endless:
        def __len__(self):
            return 100

        def __getitem__(self, number):
            return {'image': np.full((10, 4, 4, 3), number % 256, np.uint8),
                    'mask': np.ones(10, np.float32)}  # fmt: skip

    evaluation.extract(Partial(answers), data.batches(data.Images(IMAGE), 10), ['wide'])
    jax.clear_caches()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stored = evaluation.extract(
        Partial(answers), Endless(), ['wide'], directory=tmp_path
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB
    assert stored['wide'].shape == (1000, 15360)
    assert grown < 30_000
    assert stored['wide'][990, 5] == 99
