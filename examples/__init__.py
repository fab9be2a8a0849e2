"""Short scripts that show the library at work, each run by tests/examples_test.py."""
