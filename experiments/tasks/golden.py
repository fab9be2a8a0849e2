"""Digests of the golden runs: by them a result says which numbers its method had."""

import functools
import hashlib
import json
import pathlib

FILE = pathlib.Path(__file__).with_name('golden_runs.json')  # by tools/golden_runs.py


def digest(method: str) -> str | None:
    """The first 16 digits of the SHA-256 digest of a method's golden run, or None.

    It changes when the numbers of the method are recorded anew.
    """
    recorded = _recorded().get(method)
    if recorded is None:
        return None
    text = json.dumps(recorded, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _recorded() -> dict:
    return json.loads(FILE.read_text())
