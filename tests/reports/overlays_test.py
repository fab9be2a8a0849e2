"""Figures of where a network looks: what is drawn, and where."""

import numpy as np
import pytest

from transfer_jax.reports import figures, overlays

NAMES = ('cat', 'dog')


def example(point=(5.0, 5.0)):
    return overlays.Example(
        np.full((20, 30, 3), 128, np.uint8),
        heats={0: np.eye(4)},
        boxes=np.array([[2.0, 2, 12, 12]]),
        label=np.array([0]),
        points={0: point},
        masks={'mask': np.zeros((20, 30), np.uint8)},
    )


@pytest.mark.parametrize(('point', 'marker'), [((5.0, 5.0), 'o'), ((25.0, 5.0), 'X')])
def test_a_marker_tells_whether_a_point_lies_in_a_box_of_its_class(point, marker):
    figure = overlays.overlays([example(point)], NAMES, 'title')
    image, heat, mask = figure.axes
    (line,) = image.lines
    assert line.get_marker() == marker
    assert line.get_xydata().tolist() == [[point[0] - 0.5, point[1] - 0.5]]
    (box,) = image.patches
    assert (box.get_x(), box.get_width()) == (1.5, 10)
    assert heat.get_title() == 'cat' and mask.get_title() == 'mask'
    texts = [t.get_text() for t in figure.legends[0].get_texts()]
    assert texts == ['cat', 'point in a box', 'point outside']
    assert figures.png(figure)[:4] == b'\x89PNG'


def test_masks_are_painted_in_the_colours_of_their_classes():
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    painted = overlays.painted(mask)
    assert painted[0, 0].tolist() == list(overlays.BACKGROUND)
    assert painted[1, 1].tolist() == list(overlays.VOID)
    for k, pixel in ((0, (0, 1)), (1, (1, 0))):
        np.testing.assert_allclose(painted[pixel] / 255, overlays.colour(k), atol=0.01)
    named = overlays.painted(mask, [(1, 2, 3), (4, 5, 6), (7, 8, 9)])
    assert named[1, 0].tolist() == [7, 8, 9]
    colours = {overlays.colour(k) for k in range(20)}
    assert len(colours) == 20


def test_columns_are_side_by_side():
    image = np.zeros((4, 6, 3), np.uint8)
    figure = overlays.side_by_side(
        {'one': [image, image], 'two': [image, image]}, 'title', {'cat': (1, 0, 0)}
    )
    assert [axes.get_title() for axes in figure.axes[:2]] == ['one', 'two']
    assert len(figure.axes) == 4 and len(figure.legends) == 1


def test_evidence_is_red_for_a_class_and_blue_against_it():
    evidence = np.array([[2.0, 0.0], [0.0, -1.0]])
    signed = example()._replace(heats={0: evidence}, signed=True, masks={})
    figure = overlays.overlays([signed], NAMES, 'title')
    _, tint = (image.get_array() for image in figure.axes[1].get_images())
    np.testing.assert_allclose(tint[0, 0, :3], overlays.RAISES)
    np.testing.assert_allclose(tint[1, 1, :3], overlays.LOWERS)
    assert tint[0, 1, 3] == tint[1, 0, 3] == 0 < tint[1, 1, 3] < tint[0, 0, 3]
    texts = [t.get_text() for t in figure.legends[0].get_texts()]
    assert texts[-2:] == ['raises the score', 'lowers it']
