"""The pairs of feature domains in the tables of shallow methods.

Protocols:
  full   all source examples; the fit sees the whole target without labels, and the
         test is on the same examples
  oc20   20 examples of each source class, 8 of DSLR's, drawn by seed (Gong et al.,
         CVPR 2012)
  semi   as oc20, but 8 of Webcam's too, and 3 labelled examples of each target class
         that are not tested (Saenko et al., ECCV 2010)

Source validation predicts examples that the fit has not seen. With oc20 and semi these
are the source examples that were not drawn. With full, a second fit leaves out a random
tenth of the source and predicts only that tenth.
"""

import numpy as np

from experiments.tasks import choices, feature_pairs
from transfer_jax.data import features

OFFICE = {'C': 'caltech10', 'A': 'amazon', 'W': 'webcam', 'D': 'dslr'}
DIGITS = {'M': 'mnist', 'U': 'usps'}
FAKE = 'fake'
PROTOCOLS = ('full', 'oc20', 'semi')
LABELLED = 3  # of a target class
HELD_OUT = 0.1  # of the source, with protocol full
FEW = {'oc20': 'D', 'semi': 'DW'}  # source domains of which 8 are drawn


def office_pairs() -> tuple[str, ...]:
    """The 12 pairs in the order of the papers' tables."""
    return tuple(f'{s}-{t}' for s in 'CAWD' for t in 'CAWD' if s != t)


def load(
    pair: str, protocol: str, seed: int, data_dir: str | None = None
) -> feature_pairs.Pair:
    """Both domains of 'C-A', 'M-U', ... or 'fake' under a protocol.

    Raises:
      ValueError: an unknown pair or protocol.
      MissingData: a file is not in the data folder.
    """
    choices.check('protocol', protocol, PROTOCOLS)
    source, target = (domain(name, data_dir) for name in _domains(pair))
    rng = np.random.default_rng([seed, 1])
    in_fit = np.ones(len(source), np.float32)
    if protocol == 'full':
        left_out = rng.permutation(len(source))[: round(HELD_OUT * len(source))]
        in_fit[left_out] = 0
        drawn, validation = source, source.take(left_out)
    else:
        few = pair[0] in FEW[protocol]
        rows = features.draw_per_class(source.label, 8 if few else 20, seed)
        drawn, in_fit = source.take(rows), in_fit[rows]
        validation = source.take(np.setdiff1d(np.arange(len(source)), rows))
    labelled = None
    if protocol == 'semi':
        rows = features.draw_per_class(target.label, LABELLED, seed)
        labelled = target.take(rows)
        target = target.take(np.setdiff1d(np.arange(len(target)), rows))
    return feature_pairs.Pair(
        drawn, in_fit, validation, features.Unlabelled(target.x), target, labelled
    )


def domain(name: str, data_dir: str | None = None) -> features.Features:
    """A domain by its letter, or a generated one."""
    if name in OFFICE:
        return features.office_caltech10(OFFICE[name], data_dir)
    if name in DIGITS:
        return features.small_digits(DIGITS[name], data_dir)
    return features.fake(0.0 if name == 'source' else 0.5, n=120, d=100)


def check(pair: str) -> None:
    """Raises ValueError for a name that is no pair."""
    choices.check('pair', pair, (*office_pairs(), 'M-U', 'U-M', FAKE))


def _domains(pair: str) -> tuple[str, str]:
    check(pair)
    if pair == FAKE:
        return 'source', 'target'
    source, _, target = pair.partition('-')
    return source, target
