"""Points, boxes and maps against boxes, by hand and by properties."""

import numpy as np
import pytest

from transfer_jax import metrics

# Image 0 has class 0 twice, image 1 class 1, image 2 both, image 3 nothing.
BOXES = [
    np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32),
    np.array([[20, 20, 40, 40]], np.float32),
    np.array([[0, 0, 10, 10], [30, 30, 50, 50]], np.float32),
    np.zeros((0, 4), np.float32),
]
LABEL = [np.array([0, 0]), np.array([1]), np.array([0, 1]), np.zeros(0, int)]
SCORES = np.array([[0.9, 0.1], [0.8, 0.7], [0.7, 0.9], [0.1, 0.3]])
POINTS = np.array(
    [
        [[55, 55], [0, 0]],  # class 0: in its second box
        [[30, 30], [30, 30]],  # class 0 is absent: a false positive
        [[15, 5], [5, 5]],  # class 0: 5 pixels outside; class 1: in a box of class 0
        [[5, 5], [5, 5]],
    ],
    float,
)


def test_pointwise_average_precision_by_hand():
    """Class 0: correct, wrong, correct of 2; class 1: wrong, correct of 2."""
    result = metrics.pointwise_average_precision(
        SCORES, POINTS, BOXES, LABEL, tolerance=5
    )
    np.testing.assert_allclose(result, [(1 + 2 / 3) / 2, (1 / 2) / 2])
    strict = metrics.pointwise_average_precision(
        SCORES, POINTS, BOXES, LABEL, tolerance=4.9
    )
    np.testing.assert_allclose(strict, [1 / 2, 1 / 4])


def test_the_tolerance_is_eighteen_pixels():
    at = POINTS.copy()
    at[2, 0] = [10 + 18, 5]
    result = metrics.pointwise_average_precision(SCORES, at, BOXES, LABEL)
    np.testing.assert_allclose(result[0], (1 + 2 / 3) / 2)
    at[2, 0] = [10 + 18.1, 5]
    result = metrics.pointwise_average_precision(SCORES, at, BOXES, LABEL)
    np.testing.assert_allclose(result[0], 1 / 2)


def test_points_that_all_hit_measure_the_classification():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4, 2))
    result = metrics.pointwise_average_precision(
        scores, POINTS, BOXES, LABEL, tolerance=1e3
    )
    present = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    expected = [
        metrics.voc_average_precision(scores[:, i], present[:, i]) for i in range(2)
    ]
    np.testing.assert_allclose(result, expected)


def test_difficult_instances_are_neither_correct_nor_wrong():
    """Class 1 of image 2 is difficult only, so its prediction is left out."""
    difficult = [np.array([False, True]), np.array([False]), np.array([False, True])]
    difficult.append(np.zeros(0, bool))
    result = metrics.pointwise_average_precision(
        SCORES, POINTS, BOXES, LABEL, tolerance=5, difficult=difficult
    )
    # Class 0: the first point lies in a difficult box and is left out; then wrong,
    # correct of 2.
    np.testing.assert_allclose(result, [(1 / 2) / 2, 1])


def test_a_share_is_over_all_images_with_the_class_whatever_was_predicted():
    """In image 0, box and point of class 0 hit a difficult object only: a miss."""
    difficult = [np.array([False, True]), np.array([False]), np.array([False, False])]
    difficult.append(np.zeros(0, bool))
    rate = metrics.hit_rate(POINTS, BOXES, LABEL, 5, difficult=difficult)
    np.testing.assert_allclose(rate, [1 / 2, 1 / 2])
    predicted = found_boxes()
    predicted[2, 0] = BOXES[2][0]
    rates = metrics.corloc(predicted, BOXES, LABEL, 2, difficult=difficult)
    np.testing.assert_allclose(rates, [1 / 2, 1 / 2])
    # An image whose objects of the class are all difficult does not contain it.
    difficult[2] = np.array([False, True])
    rates = metrics.corloc(predicted, BOXES, LABEL, 2, difficult=difficult)
    np.testing.assert_allclose(rates, [1 / 2, 0])
    rate = metrics.hit_rate(POINTS, BOXES, LABEL, 5, difficult=difficult)
    np.testing.assert_allclose(rate, [1 / 2, 1])
    alone = metrics.corloc(
        predicted[:1], BOXES[:1], LABEL[:1], 2, difficult=[difficult[0]]
    )
    np.testing.assert_allclose(alone, [0, np.nan])


def test_hit_rate_by_hand():
    np.testing.assert_allclose(metrics.hit_rate(POINTS, BOXES, LABEL), [1 / 2, 1 / 2])
    rate = metrics.hit_rate(POINTS, BOXES, LABEL, tolerance=5)
    np.testing.assert_allclose(rate, [1, 1 / 2])
    third = np.concatenate([POINTS, POINTS[:, :1]], 1)
    assert np.isnan(metrics.hit_rate(third, BOXES, LABEL)[2])


def test_iou_by_hand():
    a = np.array([[0, 0, 2, 2], [5, 5, 5, 9]])
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [2, 0, 4, 2], [0, 0, 1, 2], [5, 5, 5, 9]])
    np.testing.assert_allclose(
        metrics.iou(a, b), [[1 / 7, 1, 0, 1 / 2, 0], [0, 0, 0, 0, 0]]
    )
    np.testing.assert_allclose(metrics.iou(b, a), metrics.iou(a, b).T)
    assert metrics.iou(np.zeros((0, 4)), b).shape == (0, 5)


def test_box_of_a_map_by_hand():
    """Of two regions above a fifth of the maximum the box encloses the larger."""
    score_map = np.full((10, 12), 3.0)  # the minimum, which becomes 0
    score_map[2:5, 1:4] = 3.3  # above 0.2, a part of 9 pixels with the next
    score_map[5, 4] = 3.3  # touches at a corner
    score_map[7:9, 8:10] = 4.0  # the maximum, but only 4 pixels
    box = metrics.box_of_map(score_map, (10, 12))
    np.testing.assert_array_equal(box, [1, 2, 5, 6])
    higher = metrics.box_of_map(score_map, (10, 12), threshold=0.5)
    np.testing.assert_array_equal(higher, [8, 7, 10, 9])


def test_a_map_is_above_and_not_at_the_threshold():
    score_map = np.zeros((4, 4))
    score_map[0], score_map[2:] = 1.0, 0.25
    box = metrics.box_of_map(score_map, (4, 4), threshold=0.25)
    np.testing.assert_array_equal(box, [0, 0, 4, 1])


def test_the_box_of_a_map_is_in_pixels_of_the_image():
    """2 x 2 to 8 x 4: from the left half's 1 to the right's 0 in four steps."""
    score_map = np.array([[1.0, 0.0], [1.0, 0.0]])
    # columns of 8 at -0.25 0 0.25 ... of the map: 1 1 7/8 5/8 3/8 1/8 0 0
    box = metrics.box_of_map(score_map, (4, 8), threshold=0.2)
    np.testing.assert_array_equal(box, [0, 0, 5, 4])
    box = metrics.box_of_map(score_map.T, (8, 4), threshold=0.1)
    np.testing.assert_array_equal(box, [0, 0, 4, 6])


def test_the_box_of_a_map_ignores_shift_and_scale():
    score_map = np.random.default_rng(1).normal(size=(5, 6))
    one = metrics.box_of_map(score_map, (40, 60))
    np.testing.assert_array_equal(metrics.box_of_map(3 * score_map - 7, (40, 60)), one)


def test_a_constant_map_gives_the_whole_image():
    box = metrics.box_of_map(np.full((3, 3), -2.0), (20, 30))
    np.testing.assert_array_equal(box, [0, 0, 30, 20])


@pytest.mark.parametrize(
    'score_map, threshold, culprit',
    [
        (np.array([[np.nan, 0]]), 0.2, 'finite'),
        (np.zeros(3), 0.2, r'map \(3,\)'),
        (np.eye(2), 1.0, 'threshold 1.0'),
    ],
)
def test_an_invalid_map_or_threshold_is_named(score_map, threshold, culprit):
    with pytest.raises(ValueError, match=culprit):
        metrics.box_of_map(score_map, (4, 4), threshold)


def found_boxes():
    result = np.zeros((4, 2, 4))
    result[0, 0] = [50, 50, 60, 55]  # half of the second box
    result[1, 1] = [20, 20, 40, 29]  # 9 / 20
    result[2, 0] = [30, 30, 50, 50]  # a box of the other class
    result[2, 1] = [30, 30, 50, 50]
    return result


def test_corloc_by_hand():
    rates = metrics.corloc(found_boxes(), BOXES, LABEL, 2)
    np.testing.assert_allclose(rates, [1 / 2, 1 / 2])
    wide = np.concatenate([found_boxes(), np.zeros((4, 1, 4))], 1)
    assert np.isnan(metrics.corloc(wide, BOXES, LABEL, 3)[2])


def test_top1_localization_by_hand():
    """Images 0 and 2 are correct, 1 has another class, 3 has no box: left out."""
    assert metrics.top1_localization(
        SCORES, found_boxes(), BOXES, LABEL
    ) == pytest.approx(2 / 3)
    worse = found_boxes()
    worse[2, 1] = 0
    assert metrics.top1_localization(SCORES, worse, BOXES, LABEL) == pytest.approx(
        1 / 3
    )
    assert np.isnan(
        metrics.top1_localization(SCORES[3:], found_boxes()[3:], BOXES[3:], LABEL[3:])
    )


def test_annotations_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match='4 images, but boxes of 3'):
        metrics.hit_rate(POINTS, BOXES[:3], LABEL)
    with pytest.raises(ValueError, match='image 1: class 5 is not in 0..1'):
        metrics.hit_rate(POINTS, BOXES, [LABEL[0], np.array([5]), *LABEL[2:]])
    with pytest.raises(ValueError, match='image 1: boxes'):
        metrics.hit_rate(POINTS, BOXES, [LABEL[0], np.array([0, 1]), *LABEL[2:]])
    with pytest.raises(ValueError, match=r'points \(4, 1, 2\)'):
        metrics.pointwise_average_precision(SCORES, POINTS[:, :1], BOXES, LABEL)


def test_peaks_are_the_middles_of_the_largest_cells():
    """Cells of 10 x 20 pixels in image 0; of equal cells the first."""
    maps = np.zeros((2, 3, 4, 2))
    maps[0, 2, 1, 0] = maps[0, 2, 3, 0] = 1
    maps[1, ..., 1] = -1
    maps[1, 0, 3, 1] = -0.5
    result = metrics.peaks(maps, np.array([[30, 80], [3, 4]]))
    expected = [[[30, 25], [10, 5]], [[0.5, 0.5], [3.5, 0.5]]]
    np.testing.assert_allclose(result, expected)


def test_centres_are_points_x_y():
    result = metrics.centres(np.array([[30, 80], [3, 4]]), 2)
    np.testing.assert_allclose(result, [[[40, 15]] * 2, [[2, 1.5]] * 2])


def test_a_map_larger_than_its_image_has_a_box():
    score_map = np.add.outer(np.arange(6), np.arange(8.0))
    np.testing.assert_array_equal(metrics.box_of_map(score_map, (1, 1)), [0, 0, 1, 1])


def test_boxes_of_maps_are_those_of_each_map():
    maps = np.random.default_rng(2).normal(size=(2, 5, 6, 3))
    sizes = np.array([[40, 60], [30, 20]])
    result = metrics.boxes_of_maps(maps, sizes, 0.5)
    assert result.shape == (2, 3, 4)
    for i, k in np.ndindex(2, 3):
        one = metrics.box_of_map(maps[i, ..., k], sizes[i], 0.5)
        np.testing.assert_array_equal(result[i, k], one)


def test_a_map_seen_at_image_size_has_its_maximum_in_the_cell_of_the_peak():
    maps = np.random.default_rng(3).normal(size=(1, 5, 6, 1))
    (((x, y),),) = metrics.peaks(maps, np.array([[50, 90]]))
    x0, y0, x1, y1 = metrics.box_of_map(maps[0, ..., 0], (50, 90), threshold=0.999)
    assert x0 <= x <= x1 and y0 <= y <= y1
    assert (x1 - x0) <= 15 and (y1 - y0) <= 10


def test_maps_and_sizes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r'sizes \(2,\)'):
        metrics.peaks(np.zeros((1, 2, 2, 1)), np.array([4, 4]))
    with pytest.raises(ValueError, match='finite'):
        metrics.peaks(np.full((1, 2, 2, 1), np.nan), np.array([[4, 4]]))
