"""The evidence tree behind a usage proof.

Leaf = SHA-256(0x00 ‖ salt(32) ‖ observation digest(32) ‖ manifest digest(32, zeros for none) ‖
index u32). Node = SHA-256(0x01 ‖ left ‖ right); an odd last node moves up unpaired, as in
RFC 9162 §2.1. The empty tree's root is SHA-256 of nothing. Salts keep a funder who guesses a trip
from testing the guess.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.ids import Digest

__all__ = ["Leaf", "audit_path", "root_of", "verify_path"]

_NONE = bytes(32)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One observation that the proof rests on."""

    salt: bytes
    observation: Digest
    """SHA-256 of the observation's bytes as deposited."""
    manifest: Digest | None
    index: int
    """Place in its deposit."""

    def digest(self) -> bytes:
        return hashlib.sha256(
            b"\x00"
            + self.salt
            + self.observation
            + (self.manifest if self.manifest is not None else _NONE)
            + self.index.to_bytes(4, "big")
        ).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[Leaf]) -> Digest:
    """Root of the tree over `leaves`, in their order."""
    level = [leaf.digest() for leaf in leaves]
    if not level:
        return Digest(hashlib.sha256().digest())
    while len(level) > 1:
        pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return Digest(level[0])


def audit_path(leaves: Sequence[Leaf], index: int) -> list[bytes]:
    """Siblings from the leaf up; what an audit hands out beside the leaf."""
    level, path = [leaf.digest() for leaf in leaves], []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
        index //= 2
    return path


def verify_path(leaf: Leaf, *, index: int, size: int, path: Sequence[bytes], root: Digest) -> bool:
    """Whether `leaf` stands at `index` of the tree of `size` leaves with this root."""
    if not 0 <= index < size:
        return False
    value, left, width = leaf.digest(), list(path), size
    while width > 1:
        if index % 2 == 1:
            if not left:
                return False
            value = _node(left.pop(0), value)
        elif index + 1 < width:
            if not left:
                return False
            value = _node(value, left.pop(0))
        index, width = index // 2, (width + 1) // 2
    return not left and value == root
