"""Published accuracies on the pairs of our tables, in %, and their sources.

Order of the pairs: C-A C-W C-D A-C A-W A-D W-C W-A W-D D-C D-A D-W.
"""

from typing import NamedTuple

from experiments.shallow import pairs


class Published(NamedTuple):
    """A line of a paper's table."""

    method: str  # of recipes.RECIPES
    protocol: str
    source: str
    values: tuple[float, ...]  # one for each pair


JDA = 'Long et al., ICCV 2013'
TJM = 'Long et al., CVPR 2014'
JGSA = 'Zhang et al., CVPR 2017'
OFFICE: tuple[Published, ...] = (
    Published(
        'none', 'full', JDA,
        (23.70, 25.76, 25.48, 26.00, 29.83, 25.48, 19.86, 22.96, 59.24, 26.27, 28.50,
         63.39),
    ),
    Published(
        'pca', 'full', JGSA,
        (39.5, 34.6, 44.6, 39.0, 35.9, 33.8, 28.2, 29.1, 89.2, 29.7, 33.2, 86.1),
    ),
    Published(
        'gfk', 'full', JDA,
        (41.02, 40.68, 38.85, 40.25, 38.98, 36.31, 30.72, 29.75, 80.89, 30.28, 32.05,
         75.59),
    ),
    Published(
        'tca', 'full', JDA,
        (38.20, 38.64, 41.40, 37.76, 37.63, 33.12, 29.30, 30.06, 87.26, 31.70, 32.15,
         86.10),
    ),
    Published(
        'jda', 'full', JDA,
        (44.78, 41.69, 45.22, 39.36, 37.97, 39.49, 31.17, 32.78, 89.17, 31.52, 33.09,
         89.49),
    ),
    Published(
        'tjm', 'full', TJM,
        (46.76, 38.98, 44.59, 39.45, 42.03, 45.22, 30.19, 29.96, 89.17, 31.43, 32.78,
         85.42),
    ),
    Published(
        'coral', 'full', JGSA,
        (52.1, 46.4, 45.9, 45.1, 44.4, 39.5, 33.7, 36.0, 86.6, 33.8, 37.7, 84.7),
    ),
    Published(
        'none_svm', 'full', JGSA,
        (53.1, 41.7, 47.8, 41.7, 31.9, 44.6, 28.8, 27.6, 78.3, 26.4, 26.2, 52.5),
    ),
    Published(
        'kmm', 'full', 'Long et al., TKDE 2015',
        (48.32, 45.78, 53.53, 42.21, 42.38, 42.72, 29.01, 31.94, 71.98, 31.61, 32.20,
         72.88),
    ),
    Published(
        'subspace_alignment', 'oc20',
        'github.com/LeoGautheron/OfficeCaltechDomainAdaptation, 10 draws',
        (35.2, 30.0, 35.2, 33.9, 31.2, 32.1, 28.7, 30.2, 83.4, 30.6, 32.0, 79.4),
    ),
    Published(
        'none', 'oc20',
        'github.com/LeoGautheron/OfficeCaltechDomainAdaptation, 10 draws',
        (22.2, 20.2, 22.5, 23.1, 26.5, 23.9, 18.9, 23.4, 52.0, 25.3, 26.6, 52.2),
    ),
)  # fmt: skip
# Pairs M-U, U-M.
# Courty et al. drew other digits and tested on half of the target; the labelled other
# half chose the hyper-parameters. 1-NN alone gives 58.33 and 39.00 there.
COURTY = 'Courty et al., TPAMI 2017, other draws'
DIGITS: tuple[Published, ...] = (
    Published('none', 'full', JDA, (65.94, 44.70)),
    Published('pca', 'full', COURTY, (48.05, 37.83)),
    Published('gfk', 'full', COURTY, (60.96, 44.16)),
    Published('jda', 'full', COURTY, (60.09, 54.52)),
    Published('ot_exact', 'full', COURTY, (49.26, 50.67)),
    Published('ot_entropic', 'full', COURTY, (64.73, 53.66)),
    Published('ot_group_lasso', 'full', COURTY, (69.96, 57.85)),
    Published('ot_class', 'full', COURTY, (68.07, 60.15)),
    Published('ot_laplacian', 'full', COURTY, (64.72, 57.42)),
)
LINES = {'shallow.office_caltech': OFFICE, 'shallow.digits': DIGITS}
PAIRS = {
    'shallow.office_caltech': pairs.office_pairs(),
    'shallow.digits': ('M-U', 'U-M'),
}
