"""Experiments: one page each, run as modules."""
