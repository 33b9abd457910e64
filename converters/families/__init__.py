"""Families of models: how a model is found in its files, loaded, exported and calibrated. Imports no torch."""

from sealbench.converters.families.family import Family, Model
from sealbench.converters.families.registry import families, family_of

__all__ = ["Family", "Model", "families", "family_of"]
