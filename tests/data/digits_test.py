"""The embedded domains share neither digits nor photographs between their parts."""

import numpy as np
import pytest

from transfer_jax.data import digits


def test_no_digit_is_in_two_of_the_four_parts():
    parts = digits.parts()
    assert {name: len(rows) for name, rows in parts.items()} == {
        'source_train': 800,
        'source_test': 100,
        'target_train': 600,
        'target_test': 297,
    }
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1797))


def test_no_picture_of_one_part_is_in_another():
    # The same scan could stand twice in the set: compare pictures, not row numbers.
    domains = [digits.digits(8), digits.target(8)]
    seen = [
        {picture.tobytes() for picture in part.image}
        for domain in domains
        for part in (domain.train, domain.test)
    ]
    for i in range(4):
        for j in range(i):
            assert not seen[i] & seen[j]


def test_labels_belong_to_the_pictures():
    from sklearn import datasets

    content = datasets.load_digits()
    domain = digits.digits(8)
    rows = digits.parts()['source_train']
    np.testing.assert_array_equal(domain.train.label, content.target[rows])
    np.testing.assert_allclose(
        domain.train.image[..., 0] * (16 / 255), content.images[rows], atol=0.04
    )


def test_enlarged_digits_reach_the_whole_range():
    train = digits.digits(28).train.image
    assert train.shape == (800, 28, 28, 1) and train.min() == 0 and train.max() == 255


def test_no_test_crop_overlaps_a_training_crop():
    whole = [photo.shape[1] for photo in digits._photographs()]
    train, test = digits.photos('train'), digits.photos('test')
    for width, left, right, photo in zip(
        whole, train, test, digits._photographs(), strict=True
    ):
        assert left.shape[1] + right.shape[1] == width
        np.testing.assert_array_equal(np.hstack([left, right]), photo)
    with pytest.raises(ValueError, match='train, test'):
        digits.photos('validation')


@pytest.mark.parametrize('split', ['train', 'test'])
def test_blended_digits_are_crops_of_their_own_split(split):
    plain = getattr(digits.target(12), split)
    blended = getattr(digits.digits_m(12), split)
    copies = digits.CROPS[split]
    np.testing.assert_array_equal(blended.label, np.repeat(plain.label, copies))
    photos = digits.photos(split)
    for index in (0, 5):
        blank = plain.image[index, ..., 0] == 0  # here the crop shows as it is
        assert blank.any()
        windows = [
            np.lib.stride_tricks.sliding_window_view(photo, (12, 12), (0, 1))
            for photo in photos
        ]
        position = [
            (w[..., blank] == blended.image[index * copies][blank].T)
            .all((-1, -2))
            .any()
            for w in windows
        ]
        assert any(position)


def test_blended_digits_are_always_the_same():
    first = digits.digits_m(12).train.image
    np.testing.assert_array_equal(first, digits.digits_m(12).train.image)
