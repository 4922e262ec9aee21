"""Titles and questions of the variables models share, in French and English (`rules/words.json`).

Over an imported model's own words: what is said to people, never what is computed.
"""

from collections.abc import Mapping
from functools import cache

from federation.aids.shipped import shipped

__all__ = ["shared_words"]


@cache
def shared_words() -> Mapping[str, Mapping[str, str]]:
    """`titre`, `titre en`, `question`, `question en` and `en CHOICE`, by rule."""
    return dict(shipped("rules/words.json")["words"])
