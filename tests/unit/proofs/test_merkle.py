"""The evidence tree: every leaf proves itself, no other leaf does."""

from hashlib import sha256

import pytest

from federation.merkle import Leaf, audit_path, root_of, verify_path
from schemas.ids import Digest, digest


def leaves(count: int) -> list[Leaf]:
    return [
        Leaf(sha256(bytes([n])).digest(), digest(b"o%d" % n), digest(b"m") if n % 2 else None, n)
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 33])
def test_every_leaf_proves_itself_at_its_own_place_only(count: int) -> None:
    tree = leaves(count)
    root = root_of(tree)
    for index, leaf in enumerate(tree):
        path = audit_path(tree, index)
        assert verify_path(leaf, index=index, size=count, path=path, root=root)
        for other in range(count):
            if other != index:
                assert not verify_path(leaf, index=other, size=count, path=path, root=root)
        assert not verify_path(leaf, index=index, size=count, path=[*path, bytes(32)], root=root)


def test_a_leaf_hashes_as_the_readme_says() -> None:
    leaf = Leaf(bytes(32), digest(b"o"), None, 7)
    written = b"\x00" + bytes(32) + digest(b"o") + bytes(32) + (7).to_bytes(4, "big")
    assert leaf.digest() == sha256(written).digest()
    pair = [leaf, leaf]
    assert root_of(pair) == sha256(b"\x01" + leaf.digest() + leaf.digest()).digest()


def test_nothing_proven_has_the_empty_root() -> None:
    assert root_of([]) == sha256().digest()
    assert not verify_path(leaves(1)[0], index=0, size=0, path=[], root=Digest(bytes(32)))
