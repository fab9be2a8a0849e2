"""The table of weights in docs/methods.md: public losses in units of ours.

`python -m experiments.table readme` writes it. Papers and libraries normalise the same
loss differently, so the same weight means different strengths. A factor is the ratio
||gradient of the public loss|| / ||gradient of ours||, in float64 on one drawn sample;
experiments/tables/public_losses.py has the losses. Where the cosine of the gradients is
1, the losses differ in the factor alone: a public weight w is w * factor in a recipe.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.tables import public_losses as public
from transfer_jax import losses
from transfer_jax.reports import grids

HEAD = ('method', 'whose', 'loss', 'factor', 'cosine', 'weight there', 'weight here')


class Conversion(NamedTuple):
    """A public loss beside ours."""

    method: str
    whose: str
    loss: str  # its normalisation
    ours: public.Loss
    theirs: public.Loss
    weight: float | None = None  # that they give it; None: several, or unknown


def lines() -> list[Conversion]:
    """Every row, the paper's first."""
    five, wide = np.arange(public.KERNELS) - public.KERNELS // 2, np.linspace(-8, 8, 33)
    dann = functools.partial(
        Conversion, ours=public.domain_loss(public.of_features, public.ours)
    )
    cdan = functools.partial(
        Conversion, ours=public.domain_loss(public.of_product, public.ours)
    )
    cdan_e = functools.partial(
        Conversion,
        ours=public.domain_loss(public.of_product, public.ours, entropy=True),
    )
    mada = functools.partial(
        Conversion, ours=public.domain_loss(public.of_classes, public.ours)
    )
    dan = functools.partial(Conversion, ours=public.dan)
    coral = functools.partial(Conversion, ours=losses.coral)
    bnm = functools.partial(Conversion, ours=public.bnm)
    half = public.domain_loss(public.of_features, public.mean_of_both)
    whole = public.domain_loss(public.of_features, public.sum_of_means)
    return [
        dan(
            'dan',
            'paper, equal β',
            'mean of the Gaussians',
            theirs=public.mmd(public.gaussians(public.median, five, mean=True)),
        ),
        dan(
            'dan',
            'Xlearn, its sum alone',
            'sum of 5 Gaussians, else ours',
            theirs=public.mmd(public.gaussians(public.median, five)),
            weight=1.0,
        ),
        dan(
            'dan',
            'Xlearn',
            'sum of 5 around the mean distance',
            theirs=public.mmd(public.gaussians(public.mean_of_pairs, five)),
            weight=1.0,
        ),
        dan(
            'dan',
            'tllib',
            'sum of 5 around the mean distance',
            theirs=public.mmd(public.gaussians(public.mean_of_all, five)),
            weight=1.0,
        ),
        dan(
            'dan',
            'pytorch-adapt',
            'mean of 33 around the median',
            theirs=public.mmd(
                public.gaussians(public.median_of_source, wide, mean=True)
            ),
        ),
        coral(
            'deep_coral',
            'paper, pytorch-adapt',
            '‖C_S − C_T‖² / 4d²',
            theirs=public.coral,
        ),
        coral(
            'deep_coral',
            'authors',
            '‖C_S − C_T‖² / 4d²',
            theirs=public.coral,
            weight=0.8,
        ),
        coral(
            'deep_coral',
            'tllib, covariances',
            '‖C_S − C_T‖² / d²',
            theirs=public.coral_mean,
        ),
        coral(
            'deep_coral',
            'tllib, both terms',
            '‖C_S − C_T‖² / d² + ‖mean S − mean T‖² / d',
            theirs=public.coral_and_means,
        ),
        dann('dann', 'paper', 'mean_S + mean_T', theirs=whole, weight=1.0),
        dann('dann', 'thuml/CDAN, tllib', 'mean over both', theirs=half, weight=1.0),
        dann(
            'dann',
            'pytorch-adapt',
            'a third of CE, mean_S and mean_T, over that of CE',
            theirs=public.domain_loss(public.of_features, public.mean_of_three),
            weight=1.0,
        ),
        dann('dsbn, first stage', 'authors', 'mean over both', theirs=half, weight=0.1),
        dann('dsn', 'authors (γ)', 'mean over both', theirs=half),
        dann('dsn', 'fungtion/DSN (γ)', 'mean_S + mean_T', theirs=whole, weight=0.25),
        dann('residual_transfer', 'paper', 'mean over both', theirs=half, weight=1.0),
        cdan(
            'cdan',
            'paper',
            'mean_S + mean_T',
            theirs=public.domain_loss(public.of_product, public.sum_of_means),
            weight=1.0,
        ),
        cdan(
            'cdan',
            'thuml/CDAN, tllib',
            'mean over both',
            theirs=public.domain_loss(public.of_product, public.mean_of_both),
            weight=1.0,
        ),
        cdan_e(
            'cdan_e',
            'thuml/CDAN',
            'weighted mean_S and mean_T, halved',
            theirs=public.domain_loss(
                public.of_product, public.weights_by_domain, entropy=True
            ),
            weight=1.0,
        ),
        cdan_e(
            'cdan_e',
            'tllib',
            'weighted mean over both',
            theirs=public.domain_loss(
                public.of_product, public.weights_together, entropy=True
            ),
            weight=1.0,
        ),
        mada(
            'mada',
            'paper',
            'Σ_k mean over both',
            theirs=public.domain_loss(public.of_classes, public.sum_over_classes(1.0)),
            weight=1.0,
        ),
        mada(
            'mada',
            'authors',
            '0.3 Σ_k mean over both',
            theirs=public.domain_loss(public.of_classes, public.sum_over_classes(0.3)),
            weight=0.06,
        ),
        bnm(
            'bnm',
            'paper, pytorch-adapt',
            'Σ σ_i / n',
            theirs=public.nuclear(lambda s: jnp.sum(s) / public.EXAMPLES),
            weight=1.0,
        ),
        bnm(
            'bnm', 'authors', 'mean of σ_i', theirs=public.nuclear(jnp.mean), weight=1.0
        ),
    ]


def measure(
    conversions: Sequence[Conversion] | None = None,
) -> list[tuple[float, float]]:
    """(||grad theirs|| / ||grad ours||, cosine of the two gradients) of each."""
    conversions = lines() if conversions is None else conversions

    def gradients(source, target):
        return [
            [
                jnp.concatenate(jax.grad(loss, (0, 1))(source, target)).ravel()
                for loss in (line.ours, line.theirs)
            ]
            for line in conversions
        ]

    with jax.enable_x64(True):
        at = [jnp.asarray(public.constants()[name]) for name in ('source', 'target')]
        pairs = np.asarray(jax.jit(gradients)(*at))
    answer = []
    for ours, theirs in pairs:
        lengths = np.linalg.norm(ours), np.linalg.norm(theirs)
        cosine = ours @ theirs / np.prod(lengths)
        answer.append((float(lengths[1] / lengths[0]), float(cosine)))
    return answer


def markdown() -> str:
    """The table."""
    body = []
    for line, (factor, cosine) in zip(lines(), measure(), strict=True):
        there = here = ''
        if line.weight is not None:
            there, here = f'{line.weight:g}', f'{line.weight * factor:.3g}'
        shown = (f'{factor:.3g}', f'{cosine:.3f}', there, here)
        body.append([line.method.replace('_', ' '), line.whose, line.loss, *shown])
    return '\n'.join(grids.markdown(HEAD, body, words=('whose', 'loss')))
