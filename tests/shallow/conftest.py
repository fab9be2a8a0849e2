"""Closed-form methods are tested to many digits, so as users run them."""

import pytest


@pytest.fixture(autouse=True)
def _as_users_run_it(optimised):
    """All tests of this folder."""
