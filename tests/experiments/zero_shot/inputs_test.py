"""What the experiment reads: the published layouts, own features, own images."""

import numpy as np
import pytest
from PIL import Image

from experiments.tasks import photo_features
from experiments.zero_shot import cub, inputs, pictures
from tests.miniatures import zero_shot as miniatures
from transfer_jax import metrics
from transfer_jax.data import MissingData


def test_the_subset_of_cub_has_two_kinds_of_vectors(tmp_path):
    miniatures.zsl_cub_subset(tmp_path)
    read = inputs.load(cub.Config(), str(tmp_path))
    assert list(read.vectors) == ['attributes', 'sentences']
    assert len(read.columns['attributes']) == 12
    prepared = cub.prepare(cub.Config(draws=1), str(tmp_path))
    assert prepared.vectors['sentences'].shape == (20, 16)
    (figure,) = pictures.attributes(prepared).values()
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert all('recognised' in t or 'taken for' in t for t in titles)


def test_published_features_are_read_or_named(tmp_path):
    miniatures.xlsa17(tmp_path)
    read = inputs.load(cub.Config('awa2'), str(tmp_path))
    assert read.data.x.shape == (60, 16)
    with pytest.raises(MissingData, match='zsl_sun is missing'):
        inputs.load(cub.Config('sun'), str(tmp_path))


def test_own_features_with_a_csv_or_with_names(tmp_path):
    miniatures.word_vectors(tmp_path)
    names = np.repeat(['dog', 'horse', 'house', 'guitar'], 4)
    np.savez(
        tmp_path / 'f.npz', x=np.random.default_rng(0).normal(size=(16, 3)), y=names
    )
    (tmp_path / 'v.csv').write_text('Dog,1,0\nhorse,1,1\nhouse,0,1\nguitar,0,2\n')
    fields = {'features': str(tmp_path / 'f.npz'), 'unseen': 'house,guitar'}
    config = cub.Config(vectors=str(tmp_path / 'v.csv'), **fields)
    read = inputs.load(config, str(tmp_path))
    assert read.vectors['own'].vectors.shape == (4, 2)
    by_name = inputs.load(cub.Config(vectors='names', **fields), str(tmp_path))
    assert by_name.vectors['own'].vectors.shape == (4, 8)
    assert {trial['vectors'] for trial in cub.build(config).trials} == {'own'}


def test_own_images_by_the_names_of_their_folders(tmp_path, monkeypatch):
    miniatures.word_vectors(tmp_path)
    rng = np.random.default_rng(0)
    for name in ('dog', 'horse', 'grand_piano', 'House'):
        (tmp_path / 'p' / name).mkdir(parents=True)
        for i in range(4):
            image = Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8))
            image.save(tmp_path / 'p' / name / f'{i}.png')

    def features(network, images, wanted, *, data_dir):
        assert images.shape == (16, 224, 224, 3)
        return {name: images.reshape(16, -1)[:, :7] for name in wanted}

    monkeypatch.setattr(photo_features, 'features', features)
    config = cub.Config(
        features=f'folder:{tmp_path / "p"}', vectors='names', unseen='Dog,grand-piano'
    )
    read = inputs.load(config, str(tmp_path))
    unseen = [read.data.classes[i] for i in read.data.unseen]
    assert unseen == ['dog', 'grand_piano']
    with pytest.raises(ValueError, match='no class is named cow'):
        inputs.load(
            cub.Config(features=config.features, vectors='names', unseen='cow,dog'),
            str(tmp_path),
        )


def test_points_of_a_curve_are_few_and_keep_its_ends():
    rng = np.random.default_rng(0)
    label = np.arange(400) % 4
    scores = rng.normal(size=(400, 4)) + np.eye(4)[label]
    curve = metrics.seen_unseen_curve(scores, label, np.arange(4) < 2)
    points = pictures.points(curve)
    assert len(points['curve_u']) == pictures.POINTS
    assert points['curve_u'][0] == 0 and points['curve_s'][-1] == 0
