"""Grants: chosen keys of an open vault, sealed to somebody who acts for the citizen, until a day.

A grant holds month keys, index keys, at most one holder key and chosen drop-box pairs. It has no
field for the root, the keyring, a record key or the journal pair, so outside its scope it opens
nothing, by construction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from federation.sealing import entropy
from federation.sealing.box import BoxHeader, BoxPublicKey, SealSuite, seal, suite_of
from federation.sealing.layout import Reader, head, lp, to_ms
from federation.sealing.padding import bucket
from schemas.records import Compartment

from .box_key import BoxPrivateKey
from .errors import GrantExpiredError, KeyUnknownError, OutsideGrantError
from .index_key import IndexKey
from .keyring import COMPARTMENT_NUMBER, COMPARTMENT_OF_NUMBER, Keyring
from .month_key import MonthKey
from .secret import KEY_SIZE, Secret, zero

_LABEL: Final = b"mobility-vault/grant/1\x00"
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class GrantScope:
    """What a grant may open."""

    months: Mapping[Compartment, Sequence[str]]
    """`YYYY-MM` (future ones too) or `undated`, by compartment. Each compartment named also gives
    its index key.
    """
    boxes: frozenset[Compartment] = frozenset()
    """Drop-boxes it may drain."""
    holder: str | None = None
    """The verifier whose holder key it may sign with."""
    earlier_epochs: bool = field(default=True)
    """Whether month keys of retired epochs go with it: needed while a rotation has not re-wrapped
    everything.
    """


@dataclass(frozen=True, slots=True)
class SealedGrant:
    """What the home sees of a grant."""

    grant_id: bytes
    vault: str
    expires_at: datetime
    opening: bytes
    box: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the public header.

        Raises:
            LayoutError: not this layout.
            SuiteUnknownError: a suite of the future.
        """
        reader = Reader(data, "grant")
        reader.head(b"G")
        grant_id, vault, expires_at = reader.take(16), reader.text(), reader.instant()
        opening = data[: reader.tell()]
        box = reader.rest()
        BoxHeader.of(box)
        return cls(grant_id, vault, expires_at, opening, box)

    @property
    def key_id(self) -> bytes:
        """Which delegation key opens it."""
        return BoxHeader.of(self.box).key_id


def seal_grant(
    keyring: Keyring,
    scope: GrantScope,
    *,
    to: BoxPublicKey,
    expires_at: datetime,
    grant_id: bytes | None = None,
) -> bytes:
    """Seal the keys of `scope` to a delegation key. `grant_id`: of the grant this one takes the
    place of, after a rotation.

    Layout: `"MVG" ‖ 1 ‖ grant id(16) ‖ lp(vault) ‖ expires u64 ‖ box`; the box has as info the
    label and everything before it. Body: `schema_version u16 ‖ length u32 ‖ months ‖ indexes ‖
    boxes ‖ holder ‖ zero padding`: months = `count u16 ‖ count × (compartment(1) ‖ epoch u32 ‖
    month(7) ‖ key(32))`; indexes = `count u16 ‖ count × (compartment(1) ‖ epoch u32 ‖ key(32))`;
    boxes = `count u16 ‖ count × (compartment(1) ‖ epoch u32 ‖ suite(1) ‖ key(32))`; holder = `0x00`
    or `0x01 ‖ lp(verifier) ‖ key(32)`.

    Raises:
        KeyUnknownError: no holder key for this verifier yet.
        KeyringLockedError: locked.
        LayoutError: not a month.
    """
    months, indexes, boxes = list[bytearray](), list[bytearray](), list[bytearray]()
    for compartment, names in scope.months.items():
        place = bytes((COMPARTMENT_NUMBER[compartment],))
        current = keyring.epoch(compartment)
        for epoch in keyring.epochs(compartment) if scope.earlier_epochs else (current,):
            number = place + epoch.to_bytes(4, "big")
            for month in dict.fromkeys(names):
                key = keyring.month_key(compartment, month, epoch=epoch)
                months.append(bytearray(number + month.encode()) + key.view)
            index = keyring.index_key(compartment, epoch=epoch)
            indexes.append(bytearray(number) + index.view)
    for compartment in sorted(scope.boxes):
        for pair in keyring.boxes(compartment):
            boxes.append(
                bytearray(
                    bytes((COMPARTMENT_NUMBER[compartment],))
                    + pair.epoch.to_bytes(4, "big")
                    + bytes((pair.suite,))
                )
                + pair.view
            )
    holder = bytearray(b"\x00")
    if scope.holder is not None:
        secret = keyring.holder_secret(scope.holder)
        if secret is None:
            raise KeyUnknownError("no holder key for this verifier")
        holder = bytearray(b"\x01" + lp(scope.holder)) + secret
        zero(secret)
    body = bytearray()
    for part in (months, indexes, boxes):
        body += len(part).to_bytes(2, "big")
        for line in part:
            body += line
            zero(line)
    body += holder
    zero(holder)
    framed = bytearray(bucket(6 + len(body)))
    framed[:6] = SCHEMA_VERSION.to_bytes(2, "big") + len(body).to_bytes(4, "big")
    framed[6 : 6 + len(body)] = body
    zero(body)
    opening = b"".join(
        (
            head(b"G"),
            grant_id or entropy.token(16),
            lp(keyring.vault),
            to_ms(expires_at).to_bytes(8, "big"),
        )
    )
    try:
        return opening + seal(framed, to=to, info=_LABEL + opening)
    finally:
        zero(framed)


class OpenedGrant:
    """The keys of a grant, at the delegate. `lock` zeroes them."""

    __slots__ = ("_boxes", "_holder", "_indexes", "_months", "expires_at", "grant_id", "vault")

    def __init__(self, sealed: SealedGrant) -> None:
        self.vault, self.grant_id = sealed.vault, sealed.grant_id
        self.expires_at = sealed.expires_at
        self._months: dict[tuple[Compartment, str, int], MonthKey] = {}
        self._indexes: dict[tuple[Compartment, int], IndexKey] = {}
        self._boxes: dict[bytes, tuple[Compartment, BoxPrivateKey]] = {}
        self._holder: tuple[str, Secret] | None = None

    def month_key(self, compartment: Compartment, month: str, *, epoch: int) -> MonthKey:
        """The key of a month in scope. The epoch is in clear in each envelope and manifest.

        Raises:
            OutsideGrantError: not in scope, or written after the grant was revoked.
        """
        key = self._months.get((compartment, month, epoch))
        if key is None:
            raise OutsideGrantError(f"{compartment} {month} of epoch {epoch}")
        return key

    def months(self) -> tuple[tuple[Compartment, str, int], ...]:
        """Every (compartment, month, epoch) in scope."""
        return tuple(self._months)

    def index_key(self, compartment: Compartment, *, epoch: int) -> IndexKey:
        """The index key of a compartment in scope.

        Raises:
            OutsideGrantError: not in scope.
        """
        key = self._indexes.get((compartment, epoch))
        if key is None:
            raise OutsideGrantError(f"index of {compartment}")
        return key

    def index_keys(self, compartment: Compartment) -> tuple[IndexKey, ...]:
        """Every index key of a compartment in scope, of the oldest epoch first; none outside."""
        found = [key for (place, _), key in self._indexes.items() if place is compartment]
        return tuple(sorted(found, key=lambda key: key.epoch))

    def box_for(self, key_id: bytes) -> BoxPrivateKey:
        """The drop-box pair of this key id.

        Raises:
            OutsideGrantError: not in scope.
        """
        if key_id not in self._boxes:
            raise OutsideGrantError("a drop-box")
        return self._boxes[key_id][1]

    def holder_secret(self, verifier: str) -> bytearray:
        """The holder key for this verifier (32 bytes, P-256), as a copy that the caller zeroes.

        Raises:
            OutsideGrantError: not in scope.
        """
        if self._holder is None or self._holder[0] != verifier:
            raise OutsideGrantError("the holder key of this verifier")
        return self._holder[1].copy()

    def lock(self) -> None:
        """Zero every key."""
        for month in self._months.values():
            month.wipe()
        for index in self._indexes.values():
            index.wipe()
        for _, pair in self._boxes.values():
            pair.wipe()
        if self._holder:
            self._holder[1].wipe()
        self._months.clear()
        self._indexes.clear()
        self._boxes.clear()
        self._holder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lock()

    def __repr__(self) -> str:
        return f"OpenedGrant({self.grant_id.hex()}, months={len(self._months)}, ***)"


def open_grant(data: bytes, *, key: BoxPrivateKey, at: datetime) -> OpenedGrant:
    """The keys of a grant, at instant `at`.

    Raises:
        GrantExpiredError: past its date.
        KeyUnknownError: sealed to another delegation key.
        SealBrokenError: changed, the date included.
        LayoutError: not a grant we know.
    """
    sealed = SealedGrant.parse(data)
    if at >= sealed.expires_at:
        raise GrantExpiredError(f"expired on {sealed.expires_at:%Y-%m-%d}")
    body = bytearray(key.open(sealed.box, info=_LABEL + sealed.opening))
    try:
        outer = Reader(body, "grant body")
        if outer.uint(2) != SCHEMA_VERSION:
            raise outer.fail("schema version is not known")
        inner = outer.secret(outer.uint(4))
        try:
            return _read_body(Reader(inner, "grant body"), OpenedGrant(sealed))
        finally:
            zero(inner)
    finally:
        zero(body)


def _read_body(reader: Reader, grant: OpenedGrant) -> OpenedGrant:
    for _ in range(reader.uint(2)):
        compartment, epoch = _compartment(reader), reader.uint(4)
        month = reader.take(7).decode("ascii", "replace")
        grant._months[compartment, month, epoch] = MonthKey(
            reader.secret(KEY_SIZE),
            vault=grant.vault,
            compartment=compartment,
            month=month,
            epoch=epoch,
        )
    for _ in range(reader.uint(2)):
        compartment, epoch = _compartment(reader), reader.uint(4)
        grant._indexes[compartment, epoch] = IndexKey(reader.secret(KEY_SIZE), epoch=epoch)
    for _ in range(reader.uint(2)):
        compartment, epoch = _compartment(reader), reader.uint(4)
        suite: SealSuite = suite_of(reader.uint(1))
        pair = BoxPrivateKey(reader.secret(KEY_SIZE), suite=suite, epoch=epoch)
        grant._boxes[pair.key_id] = (compartment, pair)
    match reader.uint(1):
        case 0:
            pass
        case 1:
            grant._holder = (reader.text(), Secret(reader.secret(KEY_SIZE)))
        case _:
            raise reader.fail("neither 0 nor 1 before the holder key")
    reader.end()
    return grant


def _compartment(reader: Reader) -> Compartment:
    number = reader.uint(1)
    if number not in COMPARTMENT_OF_NUMBER:
        raise reader.fail("a compartment that is not known")
    return COMPARTMENT_OF_NUMBER[number]


__all__ = ["GrantScope", "OpenedGrant", "SealedGrant", "open_grant", "seal_grant"]
