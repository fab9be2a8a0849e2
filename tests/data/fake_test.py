"""The fake domains: their classes and their shift are visible."""

import numpy as np

from transfer_jax.data import fake


def test_fake_domains_have_their_sizes_and_are_always_the_same():
    domain = fake.fake(12)
    assert domain.train.image.shape == (256, 12, 12, 3) and len(domain.test) == 64
    assert set(domain.train.label) == set(domain.test.label) == {0, 1, 2, 3}
    np.testing.assert_array_equal(domain.train.image, fake.fake(12).train.image)


def test_the_place_of_the_blob_tells_the_class_in_both_domains():
    for domain in (fake.fake(16), fake.fake_shifted(16)):
        grey = domain.train.image[..., 0].astype(float)  # red: bright in both
        y, x = np.unravel_index(grey.reshape(len(grey), -1).argmax(1), (16, 16))
        angle = np.arctan2(y - 7.5, x - 7.5) % (2 * np.pi)
        guess = np.rint(angle / (np.pi / 2)).astype(int) % 4
        assert (guess == domain.train.label).mean() > 0.95


def test_the_shift_is_in_the_colour_of_the_ground():
    plain, shifted = fake.fake(12).train.image, fake.fake_shifted(12).train.image
    assert np.median(plain[..., 2]) < 40 and np.median(shifted[..., 2]) > 150
