"""Labels that are no class of the classifier never reach a step."""

import jax
import numpy as np
import pytest

from transfer_jax import methods
from transfer_jax.training import fit, labels, optim

TX = optim.sgd(optim.constant(0.05))


@pytest.mark.parametrize('domain', ['source', 'target_labelled'])
@pytest.mark.parametrize('shift', [1, -1])
def test_fit_refuses_labels_that_are_no_class(domain, shift, networks, stream):
    encoder, classifier, _ = networks()
    txs = {'encoder': TX, 'classifier': TX}
    method = methods.supervised(encoder, classifier, txs=txs)
    state = jax.eval_shape(method.init, jax.random.key(0), stream[0])
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state)
    source = stream[0]['source']
    label = np.arange(len(source['label'])) % 4 + shift
    shifted = {domain: {'image': source['image'], 'label': label}}
    wrong = [shifted]
    message = rf"'{domain}' are {shift}..{3 + shift} in .* has 4 classes.*0..3"
    with pytest.raises(ValueError, match=message):
        fit(method, state, wrong, key=jax.random.key(1), steps=1)


def test_what_cannot_be_compared_passes(networks, stream):
    """Several runs side by side, labels on a device, other networks, other labels."""
    encoder, classifier, _ = networks()
    method = methods.supervised(
        encoder, classifier, txs={'encoder': TX, 'classifier': TX}
    )
    state = jax.eval_shape(method.init, jax.random.key(0), stream[0])
    check = labels.checked(state)
    far = {'source': {'label': np.array([[0, 3], [9, 1]])}}
    with pytest.raises(ValueError, match='0..9'):
        check(far)
    for batch in (
        {'source': {'label': jax.numpy.array([9])}},
        {'source': {'label': np.array([0.5, 9.0])}},
        {'source': {'labels': {'odd': np.array([-1])}}},
        {'target': {'label': np.array([9])}},
        {'x': np.float32(1)},
    ):
        assert check(batch) is batch
    other = state.replace(params={'head': state.params['classifier']})
    assert labels.checked(other)(far) is far
