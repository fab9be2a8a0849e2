"""Features of both domains in the plane, by PCA and t-SNE."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from transfer_jax import evaluation, runs
from transfer_jax.training import Method, TrainState
from transfer_jax.types import Batch

MAPPED = 300  # images of each domain in a map


def features(
    method: Method, state: TrainState, held_out: runs.HeldOut
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{domain: (features (n, d), label (n,))}; empty for a method without features."""
    answer = {}
    parts = {'source': held_out.source_validation, 'target': held_out.target_test}
    for domain, batches in parts.items():
        # Spread over the data, in case their order means something.
        some = [batches[i] for i in range(0, len(batches), max(1, len(batches) // 8))]
        predict = evaluation.bind(method, state, domain)
        if 'features' not in jax.eval_shape(predict, dict(some[0])):
            return {}
        x = evaluation.extract(predict, some, ['features'])['features']
        rows = np.random.default_rng(0).permutation(len(x))[:MAPPED]
        flat = x.reshape(len(x), -1)
        answer[domain] = flat[rows], labels(some)[rows]
    return answer


def plane(features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(n, d) of every domain to (n, 2), by PCA to 50 and t-SNE, all together."""
    import threadpoolctl
    from sklearn import decomposition, manifold  # 1 s: only where it is used

    x = np.concatenate(list(features.values())).astype(np.float64)
    most = min(50, *x.shape)
    # One thread: its threads wait for each other thousands of times, which on a busy
    # machine takes minutes instead of seconds.
    with threadpoolctl.threadpool_limits(1):
        x = decomposition.PCA(most, random_state=0).fit_transform(x)
        x /= max(x[:, 0].std(), 1e-12)
        tsne = manifold.TSNE(perplexity=min(30, (len(x) - 1) / 3), random_state=0)
        xy = tsne.fit_transform(x)
    ends = np.cumsum([len(part) for part in features.values()])[:-1]
    return dict(zip(features, np.split(xy, ends), strict=True))


def labels(batches: Sequence[Batch]) -> np.ndarray:
    """(n,) of all batches, without the padding."""
    return np.concatenate([b['label'][np.asarray(b['mask']) > 0] for b in batches])
