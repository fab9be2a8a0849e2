"""Recipes: the list of the deep methods, and of the networks they are built from."""

from transfer_jax.recipes import backbones, networks
from transfer_jax.recipes.deep_methods import LAYERS, MAIN, RECIPES, Recipe, get

__all__ = ['LAYERS', 'MAIN', 'RECIPES', 'Recipe', 'backbones', 'get', 'networks']
