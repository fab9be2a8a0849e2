"""Timings, each a ratio in one run against what a user would pick instead."""

from experiments import memory

KEPT = memory.keep()  # as every page does
