"""Preset dictionaries of DEFLATE, one per kind of record: what every record of a kind repeats.

A number never changes its bytes, because stored payloads need them for ever; a better dictionary
gets a new number.
"""

from collections.abc import Mapping
from typing import Final

DICTIONARIES: Final[Mapping[int, bytes]] = {}
BY_KIND: Final[Mapping[str, int]] = {}
