"""TrAdaBoost by hand, and against a loop over NumPy arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

KEY = jax.random.key(0)


def stump(classes):
    """The threshold on the first feature, and its sign, with least weighted error."""

    def fit(key, source, weights):
        del key
        x, y = source.x[:, 0], source.label
        side = jnp.array([1.0, -1.0])
        answer = (side[:, None, None] * (x - x[:, None] + 1e-9) > 0).astype(int)
        error = jnp.sum(jnp.where(answer != y, weights, 0), -1)
        best = jnp.argmin(error)
        return x[best % len(x)] - 1e-9, side[best // len(x)]

    def logits(fitted, x):
        above = fitted[1] * (x[:, 0] - fitted[0]) > 0
        return jax.nn.one_hot(above.astype(int), classes)

    return shallow.Classifier(fit, logits)


def samples(x, label):
    x = np.asarray(x, np.float64)
    return Samples(x.reshape(len(x), -1), np.asarray(label), np.ones(len(x)))


def noisy(seed, n, flip):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    wrong = rng.uniform(size=n) < flip
    return samples(x, ((x[:, 0] > 0) ^ wrong).astype(int))


def fitted(align, source, few, rest):
    return shallow.pipeline(align).fit(KEY, source, rest, few)


def test_weights_move_by_the_factors_of_the_paper():
    # A learner that always predicts class 1.
    always = shallow.Classifier(
        lambda key, source, weights: jnp.zeros(1),
        lambda fitted, x: jax.nn.one_hot(jnp.ones(len(x), int), 2),
    )
    source = samples([0, 1, 2, 3], [1, 1, 0, 0])
    few = samples([0, 1, 2, 3], [1, 1, 1, 0])  # the error is 1/4, beta 1/3
    align = shallow.tradaboost(2, iterations=2, classify=always)
    result = fitted(align, source, few, samples([5.0], [-1])).alignment
    np.testing.assert_allclose(result.source[0], 1 / 8)
    np.testing.assert_allclose(result.target[0], [1 / 8] * 4 + [0])
    shrink = 1 / (1 + np.sqrt(2 * np.log(4) / 2))
    total = 2 + 2 * shrink + 3 + 3
    np.testing.assert_allclose(result.source[1], [1 / total] * 2 + [shrink / total] * 2)
    np.testing.assert_allclose(result.target[1], np.array([1, 1, 1, 3, 0]) / total)
    np.testing.assert_allclose(result.error, [1 / 4, 1 / 2])
    # The second error is clipped below 1/2.
    np.testing.assert_allclose(result.vote, [np.log(3), np.log(0.51 / 0.49)])


def test_it_agrees_with_a_loop():
    source, few, rest = noisy(0, 40, 0.3), noisy(1, 12, 0.2), noisy(2, 30, 0)
    classify = stump(2)
    count = 7
    align = shallow.tradaboost(2, iterations=count, classify=classify)
    made = shallow.pipeline(align)
    result = made.fit(KEY, source, rest, few)
    logits = np.asarray(made.predict(result, {'x': rest.x})['logits'])

    x = np.concatenate([source.x, few.x])
    label = np.concatenate([source.label, few.label])
    weight, score = np.ones(52), np.zeros((30, 2))
    shrink = 1 / (1 + np.sqrt(2 * np.log(40) / count))
    with jax.enable_x64(True):
        both = Samples(jnp.asarray(x), jnp.asarray(label), jnp.ones(52))
        train = jax.jit(lambda w: classify.fit(KEY, both, w))
        for step in range(1, count + 1):
            share = weight / weight.sum()
            np.testing.assert_allclose(result.alignment.source[step - 1], share[:40])
            np.testing.assert_allclose(
                result.alignment.target[step - 1][:12], share[40:]
            )
            learned = train(share * 52)
            wrong = np.asarray(classify.logits(learned, x)).argmax(1) != label
            error = np.sum(weight[40:] * wrong[40:]) / np.sum(weight[40:])
            beta = np.clip(error, 1e-10, 0.49) / (1 - np.clip(error, 1e-10, 0.49))
            weight[:40] *= np.where(wrong[:40], shrink, 1)
            weight[40:] *= np.where(wrong[40:], 1 / beta, 1)
            if step >= 4:  # ceil(7 / 2)
                answer = np.asarray(classify.logits(learned, rest.x)).argmax(1)
                score[np.arange(30), answer] += np.log(1 / beta)
    np.testing.assert_allclose(logits, score, rtol=1e-5, atol=1e-6)
    # The paper's rule: class 1 where the product of beta^-h is at least that of
    # beta^-1/2.
    expected = score[:, 1] >= 0.5 * score.sum(1)
    np.testing.assert_array_equal(logits.argmax(1), expected)


def test_misleading_source_examples_lose_weight():
    source, few, rest = noisy(0, 60, 0.5), noisy(1, 10, 0), noisy(2, 50, 0)
    wrong = (source.x[:, 0] > 0) != source.label
    align = shallow.tradaboost(2, iterations=10)
    result = fitted(align, source, few, rest).alignment
    share = np.asarray(result.source[-1])
    assert share[wrong].mean() < 0.2 * share[~wrong].mean()


def test_several_classes_with_a_class_that_is_absent():
    rng = np.random.default_rng(0)
    label = np.arange(30) % 3
    x = rng.normal(size=(30, 4)) + 4 * np.eye(4)[label]
    align = shallow.tradaboost(4, iterations=4)
    made = shallow.pipeline(align)
    few = samples(x[:6] + 0.5, label[:6])
    rest = samples(x[6:] + 0.5, label[6:])
    result = made.fit(KEY, samples(x, label), rest, few)
    answer = np.asarray(made.predict(result, {'x': rest.x})['logits']).argmax(1)
    np.testing.assert_array_equal(answer, label[6:])


def test_padding_unlabelled_rows_and_masked_labels_change_nothing():
    source, few, rest = noisy(0, 20, 0.2), noisy(1, 6, 0.2), noisy(2, 9, 0)
    made = shallow.pipeline(shallow.tradaboost(2, iterations=3))

    def logits(source, few, rest):
        fitted = made.fit(KEY, source, rest, few)
        return np.asarray(made.predict(fitted, {'x': noisy(2, 9, 0).x})['logits'])

    def padded(part, label, mask):
        fill = Samples(np.full((3, 2), 9.0), np.full(3, label), np.full(3, mask))
        return Samples(*(np.concatenate(p) for p in zip(part, fill, strict=True)))

    plain = logits(source, few, rest)
    source = padded(padded(source, 1, 0.0), -1, 1.0)
    rest = padded(rest._replace(label=1 - rest.label), 1, 0.0)
    wide = logits(source, padded(few, 1, 0.0), rest)
    np.testing.assert_allclose(plain, wide, rtol=1e-5)


def test_a_learner_on_the_host_gives_the_same():
    source, few, rest = noisy(0, 20, 0.2), noisy(1, 6, 0.2), noisy(2, 9, 0)
    one, two = (
        shallow.tradaboost(2, iterations=3, classify=stump(2)._replace(host=host))
        for host in (False, True)
    )
    assert two.host and not one.host
    np.testing.assert_allclose(
        fitted(one, source, few, rest).alignment.source,
        fitted(two, source, few, rest).alignment.source,
    )


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='iterations 0'):
        shallow.tradaboost(2, iterations=0)
    made = shallow.pipeline(shallow.tradaboost(2))
    with pytest.raises(ValueError, match='target_labelled'):
        made.fit(KEY, noisy(0, 9, 0), noisy(1, 9, 0))
    align = shallow.tradaboost(2, classify=shallow.nearest_neighbour(2))
    with pytest.raises(ValueError, match='instance weights'):
        fitted(align, noisy(0, 9, 0), noisy(1, 3, 0), noisy(2, 9, 0))
