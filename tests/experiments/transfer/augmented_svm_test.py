"""The views of CNNaug-SVM, and its power transform."""

import numpy as np

from experiments.transfer import augmented_svm


def test_there_are_16_views_each_with_its_mirror_image():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (2, 12, 12, 3)).astype(np.uint8)
    views = list(augmented_svm.views(images))
    assert len(views) == 16 and {view.shape for view in views} == {images.shape}
    np.testing.assert_array_equal(views[0], images)
    for one, other in zip(views[::2], views[1::2], strict=True):
        np.testing.assert_array_equal(one[:, :, ::-1], other)
    assert len({view.tobytes() for view in views}) == 16


def test_crops_are_of_the_corners_and_the_middle():
    """Quadrants of four colours: a corner's crop is mostly of its colour."""
    image = np.zeros((1, 12, 12, 3), np.uint8)
    image[:, :6, :6], image[:, :6, 6:] = 10, 20
    image[:, 6:, :6], image[:, 6:, 6:] = 30, 40
    crops = list(augmented_svm.views(image))[2:12:2]
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    for crop, (row, column), value in zip(
        crops, corners, (10, 20, 30, 40), strict=False
    ):
        assert crop[0, row, column, 0] == value
        assert (crop == value).mean() > 0.4
    assert abs(crops[4].mean() - 25) < 1


def test_the_power_transform_keeps_signs():
    x = augmented_svm.unit_length(np.array([[4.0, -9.0]]), 0.5)
    np.testing.assert_allclose(x, [[2 / 13**0.5, -3 / 13**0.5]])
