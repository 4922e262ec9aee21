"""The evidence tree: every leaf proves itself, no other leaf does."""

from hashlib import sha256

import pytest

from federation.merkle import (
    Leaf,
    Nodes,
    audit_path,
    consistency_path,
    grown,
    inclusion_path,
    root_of,
    tree_root,
    verify_consistency,
    verify_inclusion,
    verify_path,
)
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


# -- a tree that grows: the vectors of Certificate Transparency (RFC 6962) ------------------------

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def tree_of(hashes: list[bytes], *, by: int = 1) -> Nodes:
    """Grown `by` leaves at a time: what is kept is the same."""
    kept: dict[tuple[int, int], bytes] = {}
    for start in range(0, len(hashes), by):
        for level, index, value in grown(
            start, hashes[start : start + by], lambda lv, i: kept[lv, i]
        ):
            assert (level, index) not in kept
            kept[level, index] = value
    return lambda level, index: kept[level, index]


HASHES = [sha256(b"\x00" + data).digest() for data in INPUTS]


@pytest.mark.parametrize("by", [1, 3, 8])
def test_the_roots_are_those_of_certificate_transparency(by: int) -> None:
    nodes = tree_of(HASHES, by=by)
    assert [tree_root(size, nodes).hex() for size in range(9)] == list(ROOTS)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8])
def test_a_leaf_is_included_at_its_place_and_no_other(size: int) -> None:
    nodes, root = tree_of(HASHES), bytes.fromhex(ROOTS[size])
    for index in range(size):
        path = inclusion_path(index, size, nodes)
        for other in range(size):
            found = verify_inclusion(HASHES[other], index=index, size=size, path=path, root=root)
            assert found is (other == index)
        assert not verify_inclusion(
            HASHES[index], index=index, size=size, path=path, root=bytes(32)
        )
    with pytest.raises(IndexError):
        inclusion_path(size, size, nodes)


def test_a_tree_is_the_beginning_of_every_later_one_and_of_no_other() -> None:
    count = 21
    hashes = [sha256(b"\x00%d" % n).digest() for n in range(count)]
    nodes = tree_of(hashes)
    forged = tree_of([sha256(b"forged").digest(), *hashes[1:]])
    for second in range(count + 1):
        for first in range(second + 1):
            path = consistency_path(first, second, nodes)
            old, new = tree_root(first, nodes), tree_root(second, nodes)
            shown = {"path": path, "first_root": old, "second_root": new}
            assert verify_consistency(first, second, **shown)
            if first:
                rewritten = {**shown, "second_root": tree_root(second, forged)}
                assert not verify_consistency(first, second, **rewritten)
                theirs = consistency_path(first, second, forged)
                assert not verify_consistency(first, second, **{**rewritten, "path": theirs})
                assert not verify_consistency(first, second, **{**shown, "path": [*path, old]})
            if path:
                assert not verify_consistency(first, second, **{**shown, "path": path[:-1]})
                assert not verify_consistency(first, second, **{**shown, "path": []})
    with pytest.raises(IndexError):
        consistency_path(3, 2, nodes)


def test_a_consistency_proof_is_the_one_of_the_standard() -> None:
    """RFC 9162 §2.1.5, in the vectors' tree: 6 of 8 is [MTH(D[4:6]), MTH(D[6:8]), MTH(D[0:4])]."""
    nodes = tree_of(HASHES)
    assert consistency_path(6, 8, nodes) == [nodes(1, 2), nodes(1, 3), nodes(2, 0)]
