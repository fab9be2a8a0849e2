"""The fully connected CRF: this library's lattice against pydensecrf and all pairs.

    python -m benchmarks.crf [--exact] [--image FILE] [--json] [--rounds N] [--out FILE]

320 x 240 pixels, 21 classes, 10 iterations of mean field; the times include the
construction of the lattice. pydensecrf has a lattice in C++ (`pip install
pydensecrf2`); if it is not installed, only this library is measured. `--exact` also
sums over all pairs of pixels, which takes minutes, and compares the marginals of both
lattices with that: the largest and the mean difference, and the share of pixels with
another label. Without a file the image is generated: blobs with sharp borders and some
noise. Goals: not slower than pydensecrf, and under 2 s on 2 CPU cores.
"""

import time

import numpy as np

from benchmarks import timing
from transfer_jax import ops

SIZE, CLASSES, ITERATIONS = (240, 320), 21, 10
WEIGHTS = {'appearance_weight': 10.0, 'smoothness_weight': 3.0}
WIDTHS = {'theta_alpha': 80.0, 'theta_beta': 13.0, 'theta_gamma': 3.0}


def scene(file: str) -> tuple[np.ndarray, np.ndarray]:
    """(image (h, w, 3) from 0 to 255, unary of noisy, blurred scores of its parts)."""
    from PIL import Image
    from scipy import ndimage

    rng = np.random.default_rng(0)
    h, w = SIZE
    if file:
        picture = Image.open(file).convert('RGB').resize((w, h), Image.Resampling.BOX)
        image = np.asarray(picture, np.float32)
    else:
        smooth = ndimage.gaussian_filter(rng.normal(size=(h, w, 8)), (20, 20, 0))
        palette = rng.uniform(0, 255, (8, 3))
        image = palette[smooth.argmax(-1)] + rng.normal(0, 8, (h, w, 3))
        image = image.clip(0, 255).astype(np.float32)
    positions = np.stack(np.mgrid[:h, :w], -1) / h
    features = np.concatenate([2 * positions, image / 60], -1)
    centres = features.reshape(-1, 5)[rng.choice(h * w, CLASSES, replace=False)]
    score = -((features[:, :, None] - centres) ** 2).sum(-1)
    score = ndimage.gaussian_filter(np.maximum(score, -8), (8, 8, 0))
    score = 3 * (score + rng.normal(0, 0.5, score.shape))
    shifted = score - score.max(-1, keepdims=True)
    unary = np.log(np.exp(shifted).sum(-1, keepdims=True)) - shifted
    return image, unary.astype(np.float32)


def ours(image, unary):
    """A call of mean field on the lattice."""
    options = {**WEIGHTS, **WIDTHS, 'iterations': ITERATIONS}
    return lambda: np.asarray(ops.mean_field(unary, image, **options))


def theirs(image, unary):
    """{'pydensecrf': call}, or {} without it."""
    try:
        from pydensecrf import densecrf
    except ImportError:
        return {}
    h, w, c = unary.shape
    flat = np.ascontiguousarray(unary.transpose(2, 0, 1).reshape(c, -1))
    whole = np.ascontiguousarray(image.astype(np.uint8))

    def call():
        model = densecrf.DenseCRF2D(w, h, c)
        model.setUnaryEnergy(flat)
        model.addPairwiseGaussian(
            sxy=WIDTHS['theta_gamma'], compat=WEIGHTS['smoothness_weight']
        )
        model.addPairwiseBilateral(
            sxy=WIDTHS['theta_alpha'],
            srgb=WIDTHS['theta_beta'],
            rgbim=whole,
            compat=WEIGHTS['appearance_weight'],
        )
        marginals = np.array(model.inference(ITERATIONS))
        return marginals.reshape(c, h, w).transpose(1, 2, 0)

    return {'pydensecrf': call}


def distance(marginals: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Distance of marginals (h, w, c) from exact ones."""
    difference = np.abs(marginals - exact)
    return {
        'largest': float(difference.max()),
        'mean': float(difference.mean()),
        'labels': float(np.mean(marginals.argmax(-1) != exact.argmax(-1))),
    }


def add_flags(parser) -> None:
    parser.add_argument('--exact', action='store_true', help='all pairs too: minutes')
    parser.add_argument('--image', default='', help='a file instead of the generated')
    parser.add_argument('--rounds', type=int, default=5)


def measure(flags, result) -> list[str]:
    """Race both libraries; with --exact, compare them with all pairs."""
    image, unary = scene(flags.image)
    mine, others = ours(image, unary), theirs(image, unary)
    result['image'] = 'file' if flags.image else ''
    result['crf'], lines = timing.race(mine, others, rounds=flags.rounds)
    if not others:
        lines.append(
            'pydensecrf is not installed (pip install pydensecrf2): only ours was '
            'measured'
        )
    if flags.exact:
        start = time.perf_counter()
        options = {**WEIGHTS, **WIDTHS, 'iterations': ITERATIONS}
        exact = ops.mean_field(unary, image, **options, filter=ops.exact_filter)
        exact = np.asarray(exact)
        result['exact_seconds'] = time.perf_counter() - start
        lines.append(f'all pairs: {result["exact_seconds"]:.0f} s; differences:')
        for name, call in {'ours': mine, **others}.items():
            row = result[f'differs_{name}'] = distance(call(), exact)
            lines.append(
                f'{name:20}largest {row["largest"]:.3f}, mean {row["mean"]:.5f}, '
                f'labels {100 * row["labels"]:.2f} %'
            )
    return lines


if __name__ == '__main__':
    timing.run('Time the fully connected CRF.', measure, add_flags)
