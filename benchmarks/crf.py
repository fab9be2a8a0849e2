"""The fully connected CRF: our lattice against pydensecrf, and against all pairs.

    python -m benchmarks.crf [--exact] [--image FILE] [--json] [--rounds N] [--out FILE]

320 x 240 pixels, 21 classes, 10 iterations of mean field, the lattice's construction
counted in. pydensecrf has its own lattice in C++ (`pip install pydensecrf2`); where it
is not installed, ours stands alone. With `--exact`, all pairs of pixels are summed too,
which takes minutes, and the table says how far the marginals of either are from that:
the largest and the mean difference, and the share of pixels with another label.
Without a file the image is generated: blobs with sharp borders and some noise. Goals:
not slower than pydensecrf, and under 2 s on 2 CPU cores.
"""

import time

import numpy as np

from benchmarks import timing
from transfer_jax import ops

SIZE, CLASSES, ITERATIONS = (240, 320), 21, 10
WEIGHTS = {'appearance_weight': 10.0, 'smoothness_weight': 3.0}
WIDTHS = {'theta_alpha': 80.0, 'theta_beta': 13.0, 'theta_gamma': 3.0}


def scene(file: str) -> tuple[np.ndarray, np.ndarray]:
    """An image (h, w, 3), 0 to 255, and noisy, blurred scores of its parts as unary."""
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
    at = np.stack(np.mgrid[:h, :w], -1) / h
    features = np.concatenate([2 * at, image / 60], -1)
    centres = features.reshape(-1, 5)[rng.choice(h * w, CLASSES, replace=False)]
    score = -((features[:, :, None] - centres) ** 2).sum(-1)
    score = ndimage.gaussian_filter(np.maximum(score, -8), (8, 8, 0))
    score = 3 * (score + rng.normal(0, 0.5, score.shape))
    shifted = score - score.max(-1, keepdims=True)
    unary = np.log(np.exp(shifted).sum(-1, keepdims=True)) - shifted
    return image, unary.astype(np.float32)


def ours(image, unary):
    """A call of mean field on the lattice."""
    how = {**WEIGHTS, **WIDTHS, 'iterations': ITERATIONS}
    return lambda: np.asarray(ops.mean_field(unary, image, **how))


def theirs(image, unary):
    """{name: call}; or {}."""
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
        found = np.array(model.inference(ITERATIONS))
        return found.reshape(c, h, w).transpose(1, 2, 0)

    return {'pydensecrf': call}


def apart(found: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """How far marginals (h, w, c) are from others."""
    difference = np.abs(found - exact)
    return {
        'largest': float(difference.max()),
        'mean': float(difference.mean()),
        'labels': float(np.mean(found.argmax(-1) != exact.argmax(-1))),
    }


def main() -> None:
    parser = timing.parser('Time the fully connected CRF.')
    parser.add_argument('--exact', action='store_true', help='all pairs too: minutes')
    parser.add_argument('--image', default='', help='a file in place of the generated')
    parser.add_argument('--rounds', type=int, default=5)
    flags = parser.parse_args()

    image, unary = scene(flags.image)
    mine, others = ours(image, unary), theirs(image, unary)
    result = {'machine': timing.machine(), 'image': 'file' if flags.image else ''}
    lines = [', '.join(f'{k} {v}' for k, v in result['machine'].items())]
    result['crf'], told = timing.race(mine, others, rounds=flags.rounds)
    lines += told
    if not others:
        lines.append(
            'pydensecrf is not installed (pip install pydensecrf2): ours alone'
        )
    if flags.exact:
        start = time.perf_counter()
        how = {**WEIGHTS, **WIDTHS, 'iterations': ITERATIONS}
        exact = ops.mean_field(unary, image, **how, filter=ops.exact_filter)
        exact = np.asarray(exact)
        result['exact_seconds'] = time.perf_counter() - start
        lines.append(f'all pairs: {result["exact_seconds"]:.0f} s; from these differ')
        for name, call in {'ours': mine, **others}.items():
            result[f'differs_{name}'] = found = apart(call(), exact)
            lines.append(
                f'{name:20}largest {found["largest"]:.3f}, mean {found["mean"]:.5f}, '
                f'labels {100 * found["labels"]:.2f} %'
            )
    timing.show(result, '\n'.join(lines), as_json=flags.json, out=flags.out)


if __name__ == '__main__':
    main()
