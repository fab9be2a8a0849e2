"""Shallow adaptation of frozen features, in seconds, beside the deep way.

A classifier on the features of a pretrained network: logistic regression and nearest
neighbour without adaptation, and logistic regression after a shallow method.
"""

import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from transfer_jax import runs, selection
from transfer_jax.adapt import linear_model, verdict
from transfer_jax.adapt.outcome import Outcome
from transfer_jax.adapt.photographs import Photographs, judged
from transfer_jax.recipes import encoders
from transfer_jax.shallow import sklearn as shallow

MOST = 2_000  # images of a domain for methods that compare all pairs
# {--method: its estimator, for k dimensions}
METHODS: dict[str, Callable[[int], object]] = {
    'coral': lambda k: shallow.Coral(),
    'subspace_alignment': shallow.SubspaceAlignment,
    'gfk': lambda k: shallow.GFK(max(1, k // 2)),
    'tca': shallow.TCA,
    'jda': shallow.JDA,
    'tjm': shallow.TJM,
    'entropic_transport': lambda k: shallow.EntropicTransport(0.1),
}
DIMENSIONS = 40
PLAIN = 'logistic_regression', 'nearest_neighbour'
NEVER = -1e4  # the logit of a class without training images
C = 0.1  # of the logistic regression, on standardised features


def name_of(method: str) -> str:
    """The name in METHODS of what a user wrote: 'subspace-alignment' is its own."""
    return method.replace('-', '_')


def run(
    photographs: Photographs,
    backbone: str,
    method: str | None,
    run_dir: pathlib.Path | None = None,
) -> list[Outcome]:
    """Logistic regression, nearest neighbour, and logistic regression after `method`.

    Features are standardised by the source's means and standard deviations. Methods
    that compare all pairs are fitted on at most 2,000 images of each domain.

    Args:
      run_dir: where each method that is a linear classifier of the features gets a
        folder with its model, see linear_model; None: no models.
    """
    began = time.perf_counter()
    test = photographs.target_test
    parts = [photographs.source, photographs.source_validation, photographs.target]
    parts += [] if test is None else [test]
    raw = [_features(photographs, backbone, part.image) for part in parts]
    mean, std = raw[0].mean(0), raw[0].std(0)
    std = np.where(std > 0, std, 1.0)
    features = [(x - mean) / std for x in raw]
    about = {
        'backbone': backbone,
        'size': photographs.source.image.shape[1],
        'seconds for features': round(time.perf_counter() - began),
        **runs.provenance.code()['versions'],
    }
    outcomes = []
    for name in (*PLAIN, *([method] if method else [])):
        fitted, made = _outcome(name, photographs, features, about)
        if run_dir is not None and fitted.logits is not None:
            head = linear_model.read_off(fitted.logits, mean, std)
            expected = raw[2], made.side.probabilities[0]
            folder = run_dir / name
            if linear_model.write(folder, name, photographs, backbone, head, expected):
                made = made._replace(run_dir=folder)
        outcomes.append(made)
    return outcomes


def _features(photographs, backbone, image) -> np.ndarray:
    x = encoders.extract(backbone, photographs.encoder, image)
    return x.reshape(len(x), -1).astype(np.float64)


def _outcome(name, photographs, features, about) -> tuple['_Fitted', Outcome]:
    began = time.perf_counter()
    label = photographs.source.label
    count = len(photographs.classes)
    fitted = _fitted(name, features[0], label, features[2], count)
    target = fitted.predict(features[2])
    source = fitted.predict(features[1], of_source=True)
    held_out = photographs.source_validation.label
    row = _scores(source, held_out, target)
    maps = {
        'source': fitted.mapped(features[1], of_source=True),
        'target': fitted.mapped(features[2]),
    }
    rows = [judged(len(x)) for x in maps.values()]
    distance = selection.diagnose(
        maps['source'][rows[0]], held_out[rows[0]], maps['target'][rows[1]]
    )
    row |= {'step': 0, **distance}
    tested = ()
    if photographs.target_test is not None:
        answers = fitted.predict(features[3]).argmax(1)
        tested = (float(np.mean(answers == photographs.target_test.label)),)
    side = verdict.Side(
        name, target[None], target.argmax(-1)[None], [row], row['a_distance'], 'last'
    )
    about = {**about, 'seconds for the fit': round(time.perf_counter() - began, 1)}
    made = Outcome(side, source[None], held_out[None], maps, tested, about)
    return fitted, made._replace(frozen=True)


def _scores(source, label, target) -> dict[str, float]:
    """The validators that need nothing but predictions, of log probabilities."""
    logits = [np.log(np.maximum(p, 1e-12)) for p in (source, target)]
    evidence = selection.Evidence(
        logits[0], label, np.ones(len(label)), logits[1], None, None, None
    )
    names = (selection.FIXED, 'source_validation')
    return {name: selection.VALIDATORS[name](evidence) for name in names}


class _Fitted(NamedTuple):
    """A classifier of features; its functions take of_source=False but `logits`."""

    predict: Callable[..., np.ndarray]  # (n, d) -> (n, c) probabilities
    mapped: Callable[..., np.ndarray]  # (n, d) -> features after the method
    logits: Callable[[np.ndarray], np.ndarray] | None  # of target rows


def _fitted(name, xs, ys, xt, classes) -> _Fitted:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    logistic = LogisticRegression(C=C, max_iter=2000)
    if name in PLAIN:
        plain = logistic if name == PLAIN[0] else KNeighborsClassifier(1)
        plain.fit(xs, ys)

        def predict_plain(x, of_source=False):
            return _full(plain.predict_proba(x), plain.classes_, classes, 0.0)

        def plain_logits(x):
            return _logits(plain, plain.decision_function(x), classes)

        return _Fitted(
            predict_plain,
            lambda x, of_source=False: x,
            plain_logits if plain is logistic else None,
        )
    rng = np.random.default_rng(0)
    if name not in ('coral', 'subspace_alignment', 'gfk'):
        rows = [np.sort(rng.permutation(len(x))[:MOST]) for x in (xs, xt)]
        xs, ys, xt = xs[rows[0]], ys[rows[0]], xt[rows[1]]
    dimensions = max(1, min(DIMENSIONS, xs.shape[1], len(xs) - 1, len(xt) - 1))
    model = shallow.AdaptedClassifier(METHODS[name](dimensions), logistic)
    domain = np.repeat([1, -1], [len(xs), len(xt)])
    hidden = np.concatenate([ys, np.full(len(xt), -1)])
    model.fit(np.concatenate([xs, xt]), hidden, sample_domain=domain)

    def predict(x, of_source=False):
        sign = np.full(len(x), 1 if of_source else -1)
        p = model.predict_proba(x, sample_domain=sign)
        return _full(p, model.classes_, classes, 0.0)

    def mapped(x, of_source=False):
        sign = np.full(len(x), 1 if of_source else -1)
        return model.adapter_.transform(x, sample_domain=sign)

    def logits(x):
        return _logits(model, model.decision_function(x), classes)

    return _Fitted(predict, mapped, logits)


def _logits(model, decision, classes) -> np.ndarray:
    """(n, classes) of a decision function, which has one column for two classes."""
    if decision.ndim == 1:
        decision = np.stack([np.zeros_like(decision), decision], 1)
    return _full(decision, model.classes_, classes, NEVER)


def _full(values, known, classes, absent) -> np.ndarray:
    """Values of all classes; a class without training images has `absent`."""
    answer = np.full((len(values), classes), absent)
    answer[:, np.asarray(known, int)] = values
    return answer
