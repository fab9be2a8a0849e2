"""DomainAdapter: fit, predict, transform, save, with names, functions and files."""

import functools
import json

import flax.linen as nn
import jax
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import transfer_jax as tj
from transfer_jax import models
from transfer_jax.adapt import DomainAdapter, experiment, plan
from transfer_jax.recipes import encoders

SHORT = {'backbone': encoders.TINY, 'size': 32, 'steps': 1}


@pytest.fixture(scope='module')
def arrays(domains):
    source, target = domains
    names = np.array(['red', 'blue', 'green', 'white'])
    return (
        source.train.image[:60],
        names[source.train.label[:60]],
        (target.train.image[:50]),
    )


@pytest.fixture(scope='module')
def fitted(arrays):
    return DomainAdapter(**SHORT).fit(*arrays)


def test_predictions_are_labels_of_the_source(fitted, arrays):
    target = arrays[2]
    p = fitted.predict_proba(target)
    assert p.shape == (50, 4)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert list(fitted.classes_) == ['blue', 'green', 'red', 'white']
    np.testing.assert_array_equal(fitted.predict(target), fitted.classes_[p.argmax(1)])
    assert fitted.transform(target).shape == (50, 128)
    assert 0 <= fitted.score(target, arrays[1][:50]) <= 1


def test_a_saved_model_predicts_the_same(fitted, arrays, tmp_path):
    model = tj.load(fitted.save(tmp_path / 'model'))
    answers = model.predict(arrays[2])
    assert [one.label for one in answers] == list(fitted.predict(arrays[2]))
    p = np.stack([one.probabilities for one in answers])
    np.testing.assert_array_equal(p, fitted.predict_proba(arrays[2]))


def test_files_and_arrays_are_the_same(folders, domains):
    here, there, _ = folders
    files = sorted(here.rglob('*.png'), key=lambda file: int(file.stem))
    labels = [file.parent.name for file in files]
    by_file = DomainAdapter(**SHORT).fit(files, labels, there)
    source, target = domains
    image = source.train.image[:40], target.train.image[:30]
    by_array = DomainAdapter(**SHORT).fit(image[0], labels, image[1])
    np.testing.assert_array_equal(
        by_file.predict_proba(there), by_array.predict_proba(image[1])
    )


def test_a_function_is_the_method_that_it_names(fitted, arrays):
    own = functools.partial(tj.methods.mcc, weight=experiment.DEFAULT_WEIGHT)
    by_function = DomainAdapter(own, **SHORT).fit(*arrays)
    np.testing.assert_array_equal(
        by_function.predict_proba(arrays[2]), fitted.predict_proba(arrays[2])
    )
    with pytest.raises(ValueError, match='of your own cannot be written'):
        by_function.save('nowhere')
    # Of another function, the same folder would hold the same config.
    with pytest.raises(ValueError, match='run_dir: a network, method or transform of'):
        DomainAdapter(own, **SHORT, run_dir='nowhere').fit(*arrays)


def test_a_transform_takes_the_place_of_flips_and_zooms(fitted, arrays):
    def unchanged(item, rng):
        del rng
        return item

    own = DomainAdapter(**SHORT, augment=unchanged).fit(*arrays)
    plain = DomainAdapter(**SHORT, augment=False).fit(*arrays)
    p = [one.predict_proba(arrays[2]) for one in (own, plain, fitted)]
    np.testing.assert_array_equal(p[0], p[1])
    assert np.abs(p[0] - p[2]).max() > 0
    with pytest.raises(ValueError, match='run_dir: a network, method or transform of'):
        DomainAdapter(**SHORT, augment=unchanged, run_dir='nowhere').fit(*arrays)


class Plain(nn.Module):
    """A network of nobody's: it takes images alone and returns features."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), strides=2)(x))
        return nn.Dense(6)(x.mean((1, 2)))


def test_an_ordinary_module_is_a_backbone(arrays):
    variables = Plain().init(jax.random.key(0), np.zeros((1, 32, 32, 3)))
    backbone = Plain(), variables, ((0.5,) * 3, (0.5,) * 3)
    adapter = DomainAdapter('dann', backbone, size=32, steps=1).fit(*arrays)
    features = adapter.transform(arrays[2])
    scaled = (arrays[2].astype(np.float32) / 255 - 0.5) / 0.5
    untrained = Plain().apply(variables, scaled)
    assert features.shape == untrained.shape
    # One step at a tenth of the rate has moved them a little.
    assert 0 < np.abs(features - untrained).max() < 0.05


@pytest.mark.parametrize(
    ('backbone', 'message'),
    [
        ((Plain(), {'params': {}}), 'give a name, or .module'),
        ((Plain(), {'conv': {}}, (0, 1)), 'the variables have conv'),
        ((Plain, {'params': {}}, (0, 1)), 'give a name, or .module'),
    ],
)
def test_a_backbone_of_another_form_is_refused(arrays, backbone, message):
    with pytest.raises(ValueError, match=message):
        DomainAdapter(backbone=backbone, size=32, steps=1).fit(*arrays)


def test_a_folder_has_its_own_labels(folders):
    here, there, _ = folders
    adapter = DomainAdapter(**SHORT).fit(here, None, there)
    assert list(adapter.classes_) == [f'class {i}' for i in range(4)]
    files = sorted(here.rglob('*.png'))
    labels = [file.parent.name for file in files]
    same = DomainAdapter(**SHORT).fit(files, labels, there)
    np.testing.assert_array_equal(
        adapter.predict_proba(there), same.predict_proba(there)
    )


def test_it_predicts_only_after_a_fit(arrays):
    with pytest.raises(NotFittedError):
        DomainAdapter().predict(arrays[2])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'steps': 0}, 'steps is 0: give 1 or more'),
        ({'size': 0}, 'size 0: give 8 pixels or more'),
        ({'rate': -1.0}, 'rate is -1.0: give a positive'),
        ({'augment': 'flip'}, "augment is 'flip': give True, False, or a transform"),
    ],
)
def test_settings_that_cannot_be_are_refused(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        DomainAdapter(**{**SHORT, **options}).fit(*arrays)


def test_an_export_is_written_for_other_machines(fitted, tmp_path):
    file = fitted.export(tmp_path / 'model.jax_export')
    described = json.loads((tmp_path / 'model.jax_export.json').read_text())
    assert file.exists() and described['classes'] == list(fitted.classes_)


def test_a_network_is_the_backbone_that_it_names(fitted, arrays):
    encoder = encoders.load(encoders.TINY)
    own = models.LayeredNet(), {'params': encoder.params}, (encoder.mean, encoder.std)
    options = {**SHORT, 'backbone': own, 'encoder_rate': 1.0}
    given = DomainAdapter(**options).fit(*arrays)
    assert given.config_.norm == 'none'
    # It starts from the given weights, and not from a random draw of the run.
    assert np.abs(given.transform(arrays[2]) - fitted.transform(arrays[2])).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize('method', plan.METHODS)
def test_every_method_fits(method, arrays):
    adapter = DomainAdapter(method, **SHORT).fit(*arrays)
    assert np.isfinite(adapter.predict_proba(arrays[2])).all()


def test_it_is_an_estimator():
    adapter = DomainAdapter('dann', steps=5)
    assert clone(adapter).get_params() == adapter.get_params()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'labels': slice(30)}, '60 images need as many labels, not 30'),
        ({'labels': 0}, 'the source has 1 class'),
        ({'images': 'float'}, 'images must be'),
    ],
)
def test_what_cannot_be_used_is_refused(arrays, change, message):
    images, labels, target = arrays
    if change.get('labels') == 0:
        labels = np.repeat(labels[:1], 60)
    elif 'labels' in change:
        labels = labels[change['labels']]
    if 'images' in change:
        images = images / 255
    with pytest.raises(ValueError, match=message):
        DomainAdapter(**SHORT).fit(images, labels, target)
