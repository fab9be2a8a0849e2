"""Predictions over data: without padding, with one compilation for all states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import data, evaluation, metrics
from transfer_jax.training import Method, TrainState

LABEL = np.array([0, 1, 2, 0, 1, 2, 0], np.int32)
IMAGE = np.zeros((7, 2, 2, 3), np.uint8)
IMAGE[np.arange(7), 0, 0, LABEL] = 1


def _state(scale):
    return TrainState(jnp.zeros((), jnp.int32), {'scale': jnp.float32(scale)}, {}, {})


def _method(traces):
    """Logits are the first pixel times the scale; the source's are backwards."""

    def predict(state, batch):
        ((domain, part),) = batch.items()
        assert set(part) == {'image'}  # no label reaches a prediction
        traces.append(domain)
        logits = state.params['scale'] * part['image'][:, 0, 0].astype(jnp.float32)
        logits = logits[:, ::-1] if domain == 'source' else logits
        return {domain: {'logits': logits, 'features': part['image'][:, 0, 0]}}

    return Method(None, None, predict)


@pytest.fixture
def batches():
    return data.batches(data.Arrays(IMAGE, LABEL), 3)  # the last one is padding


def test_padding_does_not_count(batches):
    method = _method([])
    metric = metrics.accuracy()
    for domain, expected in [('target', 1.0), ('source', 2 / 7)]:
        predict = evaluation.bind(method, _state(1.0), domain)
        result = evaluation.evaluate(predict, batches, metric)
        assert result == {'accuracy': expected, 'count': 7}


def test_one_compilation_serves_all_states(batches):
    traces = []
    method = _method(traces)
    result = [
        evaluation.evaluate(
            evaluation.bind(method, _state(scale), 'target'),
            batches,
            metrics.accuracy(),
        )['accuracy']
        for scale in (1.0, 2.0, -1.0)
    ]
    assert result[0] == result[1] == 1 and result[2] < 0.5
    assert traces == ['target']
    for scale in (1.0, 2.0):
        predict = evaluation.bind(method, _state(scale), 'target')
        evaluation.extract(predict, batches, ['logits'])
    assert traces == ['target'] * 2


def test_extract_keeps_order_and_drops_padding(batches):
    predict = evaluation.bind(_method([]), _state(3.0), 'target')
    result = evaluation.extract(predict, batches)
    assert set(result) == {'logits', 'features'}
    np.testing.assert_array_equal(result['logits'], 3.0 * np.eye(3)[LABEL])
    assert all(isinstance(value, np.ndarray) for value in result.values())


def test_extract_without_labels():
    batches = data.batches(data.Images(IMAGE), 4)
    predict = evaluation.bind(_method([]), _state(1.0), 'target')
    assert evaluation.extract(predict, batches, ['logits'])['logits'].shape == (7, 3)


def test_a_missing_layer_is_named_with_those_there_are(batches):
    predict = evaluation.bind(_method([]), _state(1.0), 'target')
    with pytest.raises(ValueError, match=r"'conv_9'; choose from \['features', 'log"):
        evaluation.extract(predict, batches, ['logits', 'conv_9'])


def test_a_layer_may_be_missing_where_it_is_said(batches):
    predict = evaluation.bind(_method([]), _state(1.0), 'target')
    layers = ['features', 'conv_9']
    result = evaluation.extract(predict, batches, ['logits'], optional_layers=layers)
    assert set(result) == {'logits', 'features'}


def test_a_shallow_predict_goes_through_the_same_call(batches):
    def predict(weights, batch):
        return {'logits': batch['image'][:, 0, 0].astype(jnp.float32) @ weights}

    fitted = jax.tree_util.Partial(predict, jnp.eye(3))
    result = evaluation.evaluate(fitted, batches, metrics.accuracy())
    assert result['accuracy'] == 1
