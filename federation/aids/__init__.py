"""Aids: the rule language, the national rules, the catalogue, and who may get what.

Pure: rules and facts in, outcome out. The vault and the hub call the same `evaluate`.
"""

from federation.aids.eligibility import Fact, Facts, Outcome, evaluate
from federation.aids.model import Aid

__all__ = ["Aid", "Fact", "Facts", "Outcome", "evaluate"]
