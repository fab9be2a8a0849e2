"""Recipes: the list of the deep methods, and the networks that they are built from."""

from transfer_jax.recipes import backbones, networks
from transfer_jax.recipes.deep_methods import LAYERS, MAIN, RECIPES, get
from transfer_jax.recipes.recipe import Recipe

__all__ = ['LAYERS', 'MAIN', 'RECIPES', 'Recipe', 'backbones', 'get', 'networks']
