"""Merkle trees: of the evidence behind a usage proof, and of a log that only grows.

Node = SHA-256(0x01 ‖ left ‖ right); an odd last node moves up unpaired, as in RFC 9162 §2.1 (and
RFC 6962 §2.1). The empty tree's root is SHA-256 of nothing. The evidence's leaf is SHA-256(0x00 ‖
salt(32) ‖ observation digest(32) ‖ manifest digest(32, zeros for none) ‖ index u32); salts keep a
funder who guesses a trip from testing the guess.

A tree that grows is kept as its full subtrees: node (level, index) is over the leaves from
`index << level` to `(index + 1) << level`. Such a node never changes, so a log of n leaves keeps
less than 2 n of them and reads about log2(n) for a root or a proof.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.ids import Digest

__all__ = [
    "EMPTY_ROOT",
    "Leaf",
    "Nodes",
    "audit_path",
    "consistency_path",
    "grown",
    "inclusion_path",
    "root_of",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
    "verify_path",
]

_NONE = bytes(32)
EMPTY_ROOT: Final = Digest(hashlib.sha256().digest())

Nodes = Callable[[int, int], bytes]
"""(level, index) → the 32 bytes of a full subtree."""


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


# -- a tree that grows --------------------------------------------------------------------------


def grown(size: int, leaves: Iterable[bytes], nodes: Nodes) -> Iterator[tuple[int, int, bytes]]:
    """Every full subtree (level, index, hash) that `leaves` complete in a tree of `size`, in the
    order in which they come to be; level 0 are the leaves themselves."""
    made: dict[tuple[int, int], bytes] = {}

    def at(level: int, index: int) -> bytes:
        found = made.get((level, index))
        return nodes(level, index) if found is None else found

    for position, leaf in enumerate(leaves, start=size):
        level, index, value = 0, position, leaf
        made[level, index] = value
        yield level, index, value
        while index % 2 == 1:
            value = _node(at(level, index - 1), value)
            level, index = level + 1, index // 2
            made[level, index] = value
            yield level, index, value


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _over(nodes: Nodes, start: int, end: int) -> bytes:
    """MTH over the leaves from `start` to `end`, where a tree of RFC 9162 has such a subtree."""
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(width)
    return _node(_over(nodes, start, middle), _over(nodes, middle, end))


def tree_root(size: int, nodes: Nodes) -> Digest:
    """Root over the first `size` leaves."""
    return Digest(_over(nodes, 0, size)) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Siblings of leaf `index` in the tree of `size`, from the leaf up (RFC 9162 §2.1.3.1).

    Raises:
        IndexError: no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise IndexError(index)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_over(nodes, middle, end))
            end = middle
        else:
            path.append(_over(nodes, start, middle))
            start = middle
    return path[::-1]


def consistency_path(first: int, second: int, nodes: Nodes) -> list[bytes]:
    """What shows that the tree of `first` is the beginning of the tree of `second` (RFC 9162
    §2.1.4.1). Empty for `first` 0 and for equal sizes.

    Raises:
        IndexError: `first` is over `second`.
    """
    if not 0 <= first <= second:
        raise IndexError(first)
    if first in (0, second):
        return []
    path: list[bytes] = []
    start, end, is_whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_over(nodes, middle, end))
            end = middle
        else:
            path.append(_over(nodes, start, middle))
            start, is_whole = middle, False
    if not is_whole:
        path.append(_over(nodes, start, end))
    return path[::-1]


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Whether `leaf` stands at `index` of the tree of `size` leaves with this root."""
    if not 0 <= index < size:
        return False
    value, left, width = leaf, list(path), size
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


def verify_consistency(
    first: int, second: int, *, path: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Whether the tree of `second` leaves begins with the tree of `first` (RFC 9162 §2.1.4.2)."""
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if not 0 < first < second:
        return False
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not steps:
        return False
    inner, outer = first - 1, second - 1
    while inner & 1:
        inner, outer = inner >> 1, outer >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if outer == 0:
            return False
        if inner & 1 or inner == outer:
            old, new = _node(step, old), _node(step, new)
            while inner and not inner & 1:
                inner, outer = inner >> 1, outer >> 1
        else:
            new = _node(new, step)
        inner, outer = inner >> 1, outer >> 1
    return outer == 0 and old == first_root and new == second_root


# -- the evidence of one proof --------------------------------------------------------------------


def _nodes_of(leaves: Sequence[Leaf]) -> Nodes:
    made: dict[tuple[int, int], bytes] = {}

    def at(level: int, index: int) -> bytes:
        return made[level, index]

    made.update(
        ((level, index), value)
        for level, index, value in grown(0, [leaf.digest() for leaf in leaves], at)
    )
    return at


def root_of(leaves: Sequence[Leaf]) -> Digest:
    """Root of the tree over `leaves`, in their order."""
    return tree_root(len(leaves), _nodes_of(leaves))


def audit_path(leaves: Sequence[Leaf], index: int) -> list[bytes]:
    """Siblings from the leaf up; what an audit hands out beside the leaf."""
    return inclusion_path(index, len(leaves), _nodes_of(leaves))


def verify_path(leaf: Leaf, *, index: int, size: int, path: Sequence[bytes], root: Digest) -> bool:
    """Whether `leaf` stands at `index` of the tree of `size` leaves with this root."""
    return verify_inclusion(leaf.digest(), index=index, size=size, path=path, root=root)
