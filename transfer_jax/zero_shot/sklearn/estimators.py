"""A scikit-learn class for each zero-shot method.

With `unit_rows`, the rows of X and the class vectors are scaled to length 1 first,
which the default constants assume.
"""

from transfer_jax import zero_shot
from transfer_jax.zero_shot.sklearn.base import ZeroShotClassifier


class ESZSL(ZeroShotClassifier):
    """Embarrassingly simple zero-shot learning, `zero_shot.eszsl`."""

    build = staticmethod(zero_shot.eszsl)

    def __init__(self, gamma=1.0, *, lam=1.0, unit_rows=True):
        self.gamma = gamma
        self.lam = lam
        self.unit_rows = unit_rows


class SAE(ZeroShotClassifier):
    """Semantic autoencoder, `zero_shot.sae`."""

    build = staticmethod(zero_shot.sae)

    def __init__(self, lam=1.0, *, to='features', unit_rows=True):
        self.lam = lam
        self.to = to
        self.unit_rows = unit_rows


class DAP(ZeroShotClassifier):
    """Direct attribute prediction, `zero_shot.dap`."""

    build = staticmethod(zero_shot.dap)

    def __init__(self, cost=100.0, *, prior='classes', unit_rows=True):
        self.cost = cost
        self.prior = prior
        self.unit_rows = unit_rows


class IAP(ZeroShotClassifier):
    """Indirect attribute prediction, `zero_shot.iap`."""

    build = staticmethod(zero_shot.iap)

    def __init__(self, cost=1000.0, *, prior='classes', floor=1e-4, unit_rows=True):
        self.cost = cost
        self.prior = prior
        self.floor = floor
        self.unit_rows = unit_rows


class ConSE(ZeroShotClassifier):
    """Convex combination of semantic embeddings, `zero_shot.conse`."""

    build = staticmethod(zero_shot.conse)

    def __init__(self, top=10, *, cost=1000.0, temperature=1.0, unit_rows=True):
        self.top = top
        self.cost = cost
        self.temperature = temperature
        self.unit_rows = unit_rows


class SynC(ZeroShotClassifier):
    """Synthesised classifiers, `zero_shot.sync`."""

    build = staticmethod(zero_shot.sync)

    def __init__(self, penalty=2.0**-20, *, scale=1.0, unit_rows=True):
        self.penalty = penalty
        self.scale = scale
        self.unit_rows = unit_rows


class DeViSE(ZeroShotClassifier):
    """Deep visual-semantic embedding on features, `zero_shot.devise`."""

    build = staticmethod(zero_shot.devise)

    def __init__(
        self,
        rate=1.0,
        *,
        margin=0.2,
        epochs=15,
        batch=32,
        unit_rows=True,
        random_state=0,
    ):
        self.rate = rate
        self.margin = margin
        self.epochs = epochs
        self.batch = batch
        self.unit_rows = unit_rows
        self.random_state = random_state


class ALE(ZeroShotClassifier):
    """Attribute label embedding, `zero_shot.ale`."""

    build = staticmethod(zero_shot.ale)

    def __init__(
        self,
        rate=3.0,
        *,
        margin=0.2,
        epochs=15,
        batch=32,
        unit_rows=True,
        random_state=0,
    ):
        self.rate = rate
        self.margin = margin
        self.epochs = epochs
        self.batch = batch
        self.unit_rows = unit_rows
        self.random_state = random_state


class SJE(ZeroShotClassifier):
    """Structured joint embedding, `zero_shot.sje`."""

    build = staticmethod(zero_shot.sje)

    def __init__(
        self,
        rate=3.0,
        *,
        margin=0.2,
        epochs=20,
        batch=32,
        unit_rows=True,
        random_state=0,
    ):
        self.rate = rate
        self.margin = margin
        self.epochs = epochs
        self.batch = batch
        self.unit_rows = unit_rows
        self.random_state = random_state


class LatEm(ZeroShotClassifier):
    """Latent embeddings, `zero_shot.latem`."""

    build = staticmethod(zero_shot.latem)

    def __init__(
        self,
        rate=1.0,
        *,
        margin=0.2,
        maps=4,
        epochs=15,
        batch=32,
        unit_rows=True,
        random_state=0,
    ):
        self.rate = rate
        self.margin = margin
        self.maps = maps
        self.epochs = epochs
        self.batch = batch
        self.unit_rows = unit_rows
        self.random_state = random_state
