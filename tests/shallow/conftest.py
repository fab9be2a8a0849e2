"""Shallow methods are tested to many digits, so they are compiled as for users."""

import pytest
import sklearn


@pytest.fixture(autouse=True)
def _as_users_run_it(optimised):
    """Applies to all tests of this folder."""


@pytest.fixture
def routing_as_by_default():
    """Importing skada, as other tests do, turns metadata routing on globally."""
    with sklearn.config_context(enable_metadata_routing=False):
        yield
