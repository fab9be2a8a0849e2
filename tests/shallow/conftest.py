"""Shallow methods are tested to many digits, so they are compiled as for users."""

import pytest


@pytest.fixture(autouse=True)
def _as_users_run_it(optimised):
    """Applies to all tests of this folder."""
