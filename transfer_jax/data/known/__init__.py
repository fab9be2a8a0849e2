"""The data sets that the project knows, by name; a file for each kind."""

from transfer_jax.data.known import (
    annotated,
    digits,
    photographs,
    published,
    retrieval,
    zero_shot,
)
from transfer_jax.data.known.data_set import DataSet

KNOWN = {
    data_set.name: data_set
    for sets in (
        digits.SETS,
        photographs.SETS,
        published.SETS,
        annotated.SETS,
        retrieval.SETS,
        zero_shot.SETS,
    )
    for data_set in sets
}

__all__ = ['KNOWN', 'DataSet']
