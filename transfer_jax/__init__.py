"""Transfer learning and domain adaptation in vision, as pure functions in JAX."""

__version__ = '0.1.0'
