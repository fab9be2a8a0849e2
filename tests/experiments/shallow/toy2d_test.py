"""Toy domains: the protocol, and the content of the panels."""

import dataclasses

import numpy as np
import pytest

from experiments.shallow import planes, toy2d

METHOD = 'subspace_alignment'


@pytest.fixture(scope='module')
def solved():
    return toy2d.solve('rotation', METHOD, 0, n=40)


def test_alignment_turns_the_blobs_back(solved):
    assert solved.before < 0.9 and solved.after == 1
    assert [panel.source.shape for panel in solved.panels] == [
        (40 + 6, 2),
        (40 + 6, 1),
        (40 + 6, 2),
    ]


def test_regions_are_the_predictions_that_are_scored(solved):
    """In each panel, the classifier of its space finds the errors that are marked."""
    for panel, wrong in zip(solved.panels, solved.labels.wrong, strict=True):
        predicted = panel.classify(panel.target)
        np.testing.assert_array_equal(predicted != solved.labels.target, wrong)
    shares = [1 - wrong.mean() for wrong in solved.labels.wrong]
    assert shares == pytest.approx([solved.before, solved.after, solved.after])


def test_only_semi_supervised_methods_see_the_labelled_examples(solved):
    labelled = toy2d.solve('rotation', 'easy_adapt', 0, n=40)
    assert (labelled.labels.labelled, solved.labels.labelled) == (6, 0)
    assert len(labelled.labels.target) == 46 and len(solved.labels.target) == 40
    assert sorted(labelled.labels.target[:6]) == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(labelled.labels.target[6:], solved.labels.target)
    assert not any(wrong[:6].any() for wrong in labelled.labels.wrong)


def test_every_method_has_a_trial_on_every_problem():
    """Names alone; the default run of the experiment fits them all."""
    study = toy2d.build(toy2d.Config(seeds=1))
    assert len(study.trials) == len(toy2d.PROBLEMS) * len(toy2d.METHODS)
    for make in toy2d.METHODS.values():
        assert make().fit
    with pytest.raises(ValueError, match="no method 'x'; choose from none"):
        toy2d.build(dataclasses.replace(toy2d.Config(), method='x'))


def test_weights_are_areas_and_errors_are_marked():
    from matplotlib.figure import Figure

    x = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    panel = planes.Plane(
        'title',
        x,
        x + 0.1,
        lambda grid: (grid[:, 0] > 1).astype(int),
        np.array([0, 1, 2]),
    )
    labels = planes.Labels(np.array([0, 0, 1]), np.array([0, 1, 1]), [])
    axes = Figure().subplots()
    planes.fill(axes, panel, labels, np.array([True, False, False]), area=10.0)
    source, other, *_ = axes.collections[1:] if _contour(axes) else axes.collections
    assert source.get_sizes().tolist() == pytest.approx([0.8, 10])
    assert other.get_sizes().tolist() == [20]
    marked = [c for c in axes.collections if c.get_linewidths()[0] == 0.9]
    assert sum(len(c.get_offsets()) for c in marked[-2:]) == 1
    regions = axes.images[0].get_array()
    assert (regions[:, 0] == 0).all() and (regions[:, -1] == 1).all()


def _contour(axes):
    return len(axes.collections[0].get_offsets()) != 2


def test_a_figure_has_a_panel_each_and_one_legend(solved):
    figure = planes.draw(solved.panels, solved.labels, 'title')
    assert [axes.get_title() for axes in figure.axes][1].startswith('After adaptation')
    assert len(figure.axes) == 3 and len(figure.legends) == 1
