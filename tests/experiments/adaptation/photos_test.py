"""Photographs: whole domains, few labels, and target labels that change nothing."""

import numpy as np
import pytest
from PIL import Image

from experiments.adaptation import photos
from experiments.tasks import photo_pairs
from transfer_jax import runs
from transfer_jax.recipes import encoders
from transfer_jax.training import checkpoint


def write(root, shift, turn=0, names=('a', 'b', 'c')):
    """12 images in class folders; `turn` moves every file to another class."""
    rng = np.random.default_rng(shift)
    for i in range(12):
        image = rng.integers(0, 128, (32, 32, 3)) + shift
        folder = root / names[(i + turn) % len(names)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(folder / f'{i}.png')
    return f'folder:{root}'


def task(source, target, labelled=0):
    return photo_pairs.Task(source, target, 'tiny', 32, labelled)


def test_permuted_target_labels_change_no_bit(tmp_path):
    """The files of the target in other class folders: the same parameters."""
    source = write(tmp_path / 'source', 0)
    ends = []
    for turn in (0, 1):
        target = write(tmp_path / f'target{turn}' / 'photos', 90, turn)
        config = photos.Config(
            'mcc', source, target, 'tiny', 32, seeds=1, steps=3, evaluations=1, batch=8
        )
        experiment = photos.build(config)
        runs.run(experiment, tmp_path / f'run{turn}')
        pair = experiment.data(0, None)
        state = runs.restore(experiment, tmp_path / f'run{turn}', 0, pair)
        ends.append((checkpoint.digest(state), pair.target_test.label))
    assert not np.array_equal(ends[0][1], ends[1][1])
    assert ends[0][0] == ends[1][0]


def test_labelled_targets_are_not_tested(tmp_path):
    source = write(tmp_path / 'source', 0)
    target = write(tmp_path / 'target', 90)
    pair = photo_pairs.load(task(source, target, labelled=2), 0, None)
    assert np.bincount(pair.target_labelled.label).tolist() == [2, 2, 2]
    assert len(pair.target_test) == len(pair.target) == 6
    seen = {image.tobytes() for image in pair.target_labelled.image}
    assert not seen & {image.tobytes() for image in pair.target_test.image}


def test_too_few_images_to_label_are_named(tmp_path):
    source = write(tmp_path / 'source', 0)
    target = write(tmp_path / 'target', 90)
    with pytest.raises(ValueError, match="class 'a' has 4 examples; 5 cannot"):
        photo_pairs.load(task(source, target, labelled=5), 0, None)


def test_other_classes_are_named(tmp_path):
    source = write(tmp_path / 'source', 0)
    target = write(tmp_path / 'target', 90, names=('a', 'b', 'd'))
    with pytest.raises(
        ValueError, match='classes differ: only source .* has c; only target .* has d'
    ):
        photo_pairs.load(task(source, target), 0, None)


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'method': 'magic'}, 'magic.*source_only'),
        ({'source': 'mnist'}, 'mnist.*office_amazon'),
        ({'backbone': 'resnet9'}, 'resnet9.*squeezenet'),
    ],
)
def test_unknown_names_are_refused_before_anything_is_read(changes, message):
    with pytest.raises(ValueError, match=message):
        photos.build(photos.Config(**changes))


def test_an_encoder_scales_its_inputs():
    """Features of uint8 images are those of (x / 255 - mean) / std."""
    encoder = encoders.load('tiny')
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (3, 32, 32, 3)).astype(np.uint8)
    features = encoders.extract('tiny', encoder, image)
    module = encoders.build('tiny')
    x = (image / 255 - encoder.mean) / encoder.std
    expected, _ = module.apply({'params': encoder.params}, x, train=False)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
