"""Synthetic digits: pure in (seed, index), in many faces, with a visible label."""

import numpy as np
import pytest

from transfer_jax.data import domains, syn_digits


def test_an_image_is_a_function_of_seed_and_index():
    first = syn_digits.generate(3, 8)
    for index in reversed(range(8)):
        image, label = syn_digits.draw(3, index)
        np.testing.assert_array_equal(image, first.image[index])
        assert label == first.label[index]
    assert (syn_digits.generate(4, 8).image != first.image).any()
    assert len({picture.tobytes() for picture in first.image}) == 8


def test_images_are_varied_and_labels_even():
    arrays = syn_digits.generate(0, 150)
    assert arrays.image.shape == (150, 32, 32, 3) and arrays.image.dtype == np.uint8
    assert np.bincount(arrays.label, minlength=10).min() > 5
    means = arrays.image.mean((1, 2))
    assert means.std(0).min() > 30  # colours
    assert arrays.image.std((1, 2)).max(-1).min() > 3  # something is on every one


def test_there_are_at_least_12_faces_and_each_has_ten_digits():
    assert len(set(syn_digits.FACES)) >= 12
    for face in syn_digits.FACES:
        font = syn_digits._font(face, 40)
        glyphs = {bytes(font.getmask(str(digit))) for digit in range(10)}
        assert len(glyphs) == 10 and all(any(glyph) for glyph in glyphs)


def test_the_middle_digit_is_the_label(monkeypatch):
    # Without the variations, the picture of a label is the glyph in the middle.
    monkeypatch.setattr(syn_digits, '_neighbours', lambda rng: ('', ''))
    for label in (1, 4, 7):
        cover, _ = syn_digits._masks(label, np.random.default_rng(5))
        other, _ = syn_digits._masks((label + 1) % 10, np.random.default_rng(5))
        y, x = np.nonzero(cover > 0.5)
        assert abs(x.mean() - 31.5) < 14 and abs(y.mean() - 31.5) < 14
        assert (cover != other).any()


@pytest.mark.parametrize(('sides', 'moves'), [(('8', ''), -1), (('', '8'), 1)])
def test_neighbours_stand_beside_the_middle(monkeypatch, sides, moves):
    alone, beside = [], []
    for seed in range(6):
        for pictures, texts in ((alone, ('', '')), (beside, sides)):
            monkeypatch.setattr(syn_digits, '_neighbours', lambda rng, t=texts: t)
            pictures.append(syn_digits._masks(3, np.random.default_rng(seed))[0])
    for one, more in zip(alone, beside, strict=True):
        assert (more >= one - 1e-6).all()
    added = (np.sum(beside, axis=0) - np.sum(alone, axis=0)).sum(0)  # by column
    assert added.sum() > 0 and np.sign((added * np.arange(-31.5, 32)).sum()) == moves


def test_outline_covers_the_digit_unless_it_is_a_shadow():
    covered = 0
    for seed in range(40):
        fill, outline = syn_digits._masks(5, np.random.default_rng(seed))
        covered += bool((outline >= fill - 0.01).all())
    assert 25 <= covered < 40


def test_digits_stand_out_from_ground_and_outline():
    for seed in range(50):
        ground, fill, outline = syn_digits._colours(np.random.default_rng(seed))
        for other in (ground, outline):
            assert np.abs(fill - other).sum() > 150
            assert abs((fill - other) @ [0.299, 0.587, 0.114]) > 29.9


def test_stored_images_are_read_and_those_of_other_versions_are_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(syn_digits, 'TRAIN', 6)
    monkeypatch.setattr(syn_digits, 'TEST', 3)
    drawn = domains.load('syn_digits', size=32, data_dir=tmp_path)
    assert (len(drawn.train), len(drawn.test)) == (6, 3)
    path = syn_digits.save(tmp_path)
    assert syn_digits.stored((tmp_path,)) == path
    monkeypatch.setattr(syn_digits, 'generate', lambda seed, n: pytest.fail('drawn'))
    domains._load.cache_clear()
    stored = domains.load('syn_digits', size=32, data_dir=tmp_path)
    np.testing.assert_array_equal(stored.train.image, drawn.train.image)
    np.testing.assert_array_equal(stored.test.label, drawn.test.label)
    monkeypatch.setattr(syn_digits, 'VERSION', 999)
    assert syn_digits.stored((tmp_path,)) is None
