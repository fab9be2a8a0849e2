"""Images and labels that would be trained on silently and wrongly are refused."""

import numpy as np
import pytest

from transfer_jax import data

IMAGE = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
LABEL = np.arange(6, dtype=np.int32)
NAN = np.array([0.0, 1, 2, 3, np.nan, 5])


@pytest.mark.parametrize(
    'image, message',
    [
        (IMAGE / np.float32(255), r'uint8, not .* float32.*np.rint\(255 \* image\)'),
        (IMAGE.astype(np.int64), r'int64: for numbers in 0..255 give image.astype'),
        (IMAGE > 3, r'bool: give 255 \* image'),
        (IMAGE[..., 0], r'\(6, 4, 4\) uint8: add an axis of channels, .*\[..., None\]'),
        (IMAGE[0, 0], r'\(n, h, w, c\) uint8, not \(4, 3\)'),
        (IMAGE.transpose(0, 3, 1, 2), r'c is 1 or 3; for .*transpose\(0, 2, 3, 1\)'),
        (np.concatenate([IMAGE, IMAGE[..., :1]], 3), r'c is 1 or 3; .*\[..., :3\]'),
        (list(IMAGE), r'not a list: np.stack\(images\)'),
    ],
)
def test_images_of_another_form_are_refused_with_the_remedy(image, message):
    for make in (data.Images, lambda image: data.Arrays(image, LABEL)):
        with pytest.raises(ValueError, match=message):
            make(image)


@pytest.mark.parametrize(
    'label, message',
    [
        (LABEL[:5], r'6 images need labels of shape \(6,\), not \(5,\)'),
        (LABEL[:, None], r'not \(6, 1\): give label\[:, 0\]'),
        (np.eye(6, dtype=int), r'not \(6, 6\): give label.argmax\(1\)'),
        (LABEL / 2, r'float64: give label.astype\(np.int32\) if none is lost'),
        (LABEL > 1, 'whole numbers, not bool: give label.astype'),
        (NAN, r'with NaN: leave out rows .* data.Images\(image\)'),
        (LABEL.astype(str), r'<U.*np.unique\(names, return_inverse=True\)'),
        (LABEL.astype(object), 'not object: number them'),
        (LABEL - 1, r'label 0 is -1: leave out rows .* data.Images\(image\)'),
        (LABEL + 1, r'must be 0..5 for its 6 classes, but label 5 is 6'),
        ((LABEL + 1).astype(np.uint8), 'label 5 is 6'),
        (LABEL.astype(np.int64) << 40, r'label 5 is 5497558138880'),
        (list(LABEL), r'not a list: np.asarray\(label\)'),
    ],
)
def test_labels_of_another_form_are_refused_with_the_remedy(label, message):
    with pytest.raises(ValueError, match=message):
        data.Arrays(IMAGE, label, tuple('abcdef'))
    with pytest.raises(ValueError, match=message):
        data.lazy.ImageFiles(('a.png',) * 6, label, tuple('abcdef'))


def test_what_is_sound_is_taken():
    for kind in (np.int8, np.uint8, np.int64, np.uint64):
        assert data.Arrays(IMAGE, LABEL.astype(kind), tuple('abcdef'))[5]['label'] == 5
    assert len(data.Arrays(IMAGE[..., :1], LABEL + 100)) == 6
    assert len(data.Arrays(IMAGE[:0], LABEL[:0])) == 0
    assert len(data.Images(np.asarray(IMAGE).view(np.memmap))) == 6


def test_a_source_with_wrong_labels_is_refused_by_its_stream():
    items = [{'image': image, 'label': 0.5} for image in IMAGE]
    stream = data.labelled(items, batch_size=2, seed=0)
    with pytest.raises(ValueError, match='labels must be whole numbers, not float'):
        stream[0]


def test_images_are_normalised_once():
    scale = data.normalise(np.full(3, 0.5, np.float32))
    batch = scale({'source': {'image': IMAGE}})
    with pytest.raises(ValueError, match='takes uint8 images, not float32: .*255'):
        scale(batch)


@pytest.mark.parametrize(
    'mean, std', [(np.zeros(3), None), (0.5, None), ([0], [1] * 3)]
)
def test_a_mean_of_other_channels_is_refused(mean, std):
    with pytest.raises(
        ValueError, match=r'must be \(1,\), one number for each channel'
    ):
        data.normalise(mean, std)({'image': IMAGE[..., :1]})
