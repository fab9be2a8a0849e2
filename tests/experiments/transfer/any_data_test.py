"""Any network and any data: folders, read at once or lazily, and published splits."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from experiments.tasks import draws, photo_domains, photo_features
from experiments.transfer import augmented_svm, few_shot, fine_tuning, probing
from transfer_jax.recipes import encoders


def photographs(root, classes=4, each=6, splits=('train', 'test'), size=(40, 36)):
    """`<split>/<class>/<file>`: noise around a colour of the class."""
    rng = np.random.default_rng(0)
    for split in splits:
        for label in range(classes):
            folder = root / split / f'class_{label}'
            folder.mkdir(parents=True)
            for i in range(each):
                image = rng.integers(0, 100, (*size, 3))
                image[..., label % 3] += 50 * (1 + label // 3)
                picture = Image.fromarray(image.astype(np.uint8))
                picture.save(folder / f'{i}.png')
    return f'folder:{root}'


@pytest.mark.parametrize('splits', [('train', 'test'), ('',)])
def test_a_lazy_folder_has_the_images_of_the_folder(tmp_path, splits):
    spec = photographs(tmp_path / 'set', splits=splits)
    whole = photo_domains.load(spec, size=16, data_dir=None)
    lazy = photo_domains.load(f'lazy:{spec}', size=16, data_dir=None)
    assert lazy.classes == whole.classes
    for one, other in ((whole.train, lazy.train), (whole.test, lazy.test)):
        pairs = sorted(
            (x.tobytes(), y) for x, y in zip(one.image, one.label, strict=True)
        )
        items = [other[i] for i in range(len(other))]
        assert pairs == sorted((x['image'].tobytes(), x['label']) for x in items)
        taken = other.take(np.array([3, 1]))
        assert taken.label.tolist() == other.label[[3, 1]].tolist()
        np.testing.assert_array_equal(taken[1]['image'], other[1]['image'])


def test_features_of_a_source_are_those_of_its_images(tmp_path):
    spec = photographs(tmp_path / 'set')
    lazy = photo_domains.load(f'lazy:{spec}', size=32, data_dir=None).train
    image = np.stack([lazy[i]['image'] for i in range(len(lazy))])
    encoder = encoders.load('tiny')
    found = encoders.extract('tiny', encoder, lazy)
    np.testing.assert_array_equal(found, encoders.extract('tiny', encoder, image))
    both = photo_domains.joined([lazy, lazy.take(np.array([2]))])
    assert len(both) == len(lazy) + 1
    np.testing.assert_array_equal(both[len(lazy)]['image'], lazy[2]['image'])
    with pytest.raises(IndexError):
        both[len(lazy) + 1]


def test_a_damaged_file_is_named_in_one_line(tmp_path):
    spec = photographs(tmp_path / 'set')
    file = tmp_path / 'set' / 'train' / 'class_1' / '2.png'
    file.write_bytes(b'no image')
    lazy = photo_domains.load(f'lazy:{spec}', size=32, data_dir=None).train
    with pytest.raises(ValueError, match='2.png: not a readable image') as error:
        encoders.extract('tiny', encoders.load('tiny'), lazy)
    assert '\n' not in str(error.value)


def test_nought_draws_the_whole_training_part():
    label = np.array([0, 1, 1, 0, 1])
    assert draws.rows(label, 0, 3).tolist() == [0, 1, 2, 3, 4]
    assert sorted(label[draws.rows(label, 2, 3)]) == [0, 0, 1, 1]
    assert draws.parse('5, 0') == [5, 0]
    assert draws.number(0, 7) == 1 and draws.number(5, 7) == 7
    with pytest.raises(ValueError, match="counts '5,all': give numbers"):
        draws.parse('5,all')


def test_layers_to_probe_are_thinned_with_the_first_and_the_last():
    alexnet = (*(f'conv{i}' for i in range(1, 6)), 'fc6', 'fc7')
    assert photo_features.thinned('alexnet') == alexnet
    layers = photo_features.thinned('vgg16')
    assert len(layers) == 9
    assert (layers[0], layers[-1]) == ('conv1_1', 'fc7')
    layers = photo_features.thinned('resnet50')
    assert len(layers) == 9 and layers[-1] == 'block4_3'


def test_a_dense_layer_is_a_vector_and_a_map_a_grid():
    x = np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
    assert photo_features.grid_or_vector(x, 2).shape == (2, 12)
    np.testing.assert_array_equal(
        photo_features.grid_or_vector(x[:, 0, 0], 2), x[:, 0, 0]
    )
    tokens = photo_features.grid_or_vector(x[:, 0], 2)
    np.testing.assert_allclose(tokens, x[:, 0].mean(1), rtol=1e-6)


CONFIGS = {
    'probing': (probing, {'layers': 'conv5,fc7', 'draws': 1}),
    'few_shot': (few_shot, {'draws': 1, 'tuned_draws': 1, 'steps': 1}),
}


@pytest.mark.slow
@pytest.mark.parametrize('lazily', ['', 'lazy:'])
@pytest.mark.parametrize('name', CONFIGS)
def test_alexnet_is_probed_on_a_folder(name, lazily, tmp_path):
    module, fields = CONFIGS[name]
    spec = lazily + photographs(tmp_path / 'set', classes=2, each=3)
    config = module.Config(
        network='alexnet',
        domain=spec,
        size=64,
        counts='2,0',
        weights='random',
        **fields,
    )
    study = module.build(config)
    assert 'folder' not in study.task and str(tmp_path) not in study.task
    prepared = study.prepare(None)
    rows = [study.measure(prepared, trial) for trial in study.trials]
    assert all(0 <= row['accuracy'] <= 1 for row in rows)


def test_fine_tuning_reads_a_lazy_folder_whole(tmp_path):
    spec = 'lazy:' + photographs(tmp_path / 'set', classes=3)
    config = dataclasses.replace(
        fine_tuning.fast(), data=spec, counts=(0,), methods=('svm', 'head')
    )
    study = fine_tuning.build(config)
    assert study.task == 'set, tiny at 32 pixels'
    prepared = study.prepare(None)
    rows = [study.measure(prepared, trial) for trial in study.trials]
    assert [trial['n'] for trial in study.trials] == [0, 0]
    assert all(0 <= row['class_accuracy'] <= 1 for row in rows)


def test_views_of_a_lazy_image_are_those_of_the_array(tmp_path):
    spec = photographs(tmp_path / 'set', classes=2, each=2, size=(32, 32))
    config = augmented_svm.Config(spec, 'tiny', 32, (2,), seeds=1)
    lazy = dataclasses.replace(config, data=f'lazy:{spec}')
    whole, other = (augmented_svm.prepare(c, None) for c in (config, lazy))
    for part in ('train', 'test'):
        one, two = (getattr(x, part) for x in (whole, other))
        assert one.shape == (4, 16, 128)
        one, two = (x[np.lexsort(x[:, 0].T)] for x in (one, two))
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    'module, changes, message',
    [
        (probing, {'network': 'alexnot'}, "no backbone 'alexnot'; choose from squeeze"),
        (probing, {'domain': 'caltech'}, "no domain 'caltech' .*choose from.*folder:"),
        (probing, {'domain': 'folder:'}, "no domain 'folder:'"),
        (probing, {'layers': 'conv1,fire1'}, "no layer 'fire1'; choose from conv1"),
        (few_shot, {'network': 'alexnot'}, "no backbone 'alexnot'"),
        (few_shot, {'counts': 'x'}, "counts 'x'"),
        (fine_tuning, {'data': 'lazy:nothing'}, "no domain 'nothing'"),
        (augmented_svm, {'data': 'voc'}, 'no domain'),
        (augmented_svm, {'backbone': 'alexnot'}, "no backbone 'alexnot'"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_read(module, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        module.build(module.Config(**changes))
    assert '\n' not in str(error.value)
