"""Entry points of every layout, for the vectors: how to open one, and how to seal it again with the
same random bytes.

A vector is JSON: `inputs` (hex for bytes), `sealed` (hex), `expect` ("success" or an error code),
`output`. Where `entropy` is given, sealing the inputs with SHAKE-256(entropy) as the source of
randomness gives exactly `sealed`. HPKE draws its own randomness, so boxes are opened only. `python
-m tests.vectors.crypto.generate` writes the files; frozen ones are never rewritten.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import shake_256
from typing import Any

from federation.keys import Ed25519Key
from federation.sealing import (
    BoxPublicKey,
    DepositReceipt,
    SealedDeposit,
    SealSuite,
    entropy,
    verify_manifest,
)
from schemas.ids import Digest
from schemas.records import Compartment
from vault.crypto.age import ScryptIdentity, X25519Identity, decrypt
from vault.crypto.blob import blob_digest, open_blob, seal_blob
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import open_record, row_digest, seal_record
from vault.crypto.errors import KeyUnknownError
from vault.crypto.grant import open_grant
from vault.crypto.head import DrainMark, Head, ManifestRow, MonthManifest
from vault.crypto.journal_entry import JournalRow, JournalTip, open_entry, walk
from vault.crypto.kdf import Argon2Profile
from vault.crypto.keyring import Keyring
from vault.crypto.month_key import derive_month_key
from vault.crypto.opening import open_deposit, open_document, open_segment
from vault.crypto.recovery import RecoveryCode
from vault.crypto.secret import AeadKey, RootKey, Secret
from vault.crypto.session import open_session, seal_session
from vault.crypto.slots import SlotKind, open_slot, seal_slot
from vault.crypto.token import open_token, seal_token
from vault.crypto.track import decode_track, encode_track
from vault.crypto.verify_link import link_id, open_link, seal_link

Inputs = dict[str, Any]
Output = dict[str, Any]


class FixedEntropy:
    """SHAKE-256 of a seed in place of the operating system's random bytes. Tests only."""

    def __init__(self, seed: str) -> None:
        self._seed, self._used = seed.encode(), 0

    def token(self, size: int) -> bytes:
        start, self._used = self._used, self._used + size
        return shake_256(self._seed).digest(self._used)[start:]

    def secret(self, size: int) -> bytearray:
        return bytearray(self.token(size))


@contextmanager
def fixed_entropy(seed: str) -> Iterator[None]:
    """Product code inside draws from `seed`."""
    kept, fixed = (entropy.token, entropy.secret), FixedEntropy(seed)
    entropy.token, entropy.secret = fixed.token, fixed.secret
    try:
        yield
    finally:
        entropy.token, entropy.secret = kept


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _month_key(i: Inputs) -> Any:
    return derive_month_key(
        bytearray(raw(i["record_key"])),
        vault=i["vault"],
        compartment=Compartment(i["compartment"]),
        month=i["month"],
        epoch=i["epoch"],
    )


def _record_open(i: Inputs, sealed: bytes) -> Output:
    opened = open_record(
        sealed,
        vault=i["vault"],
        record_id=raw(i["record_id"]),
        revision=i["revision"],
        kind=i["kind"],
        month_key=_month_key(i),
    )
    return {
        "payload": opened.payload.decode(),
        "schema_version": opened.schema_version,
        "row_digest": row_digest(sealed).hex(),
    }


def _record_seal(i: Inputs) -> bytes:
    return seal_record(
        i["payload"].encode(),
        vault=i["vault"],
        record_id=raw(i["record_id"]),
        revision=i["revision"],
        kind=i["kind"],
        month_key=_month_key(i),
        schema_version=i["schema_version"],
        plain=i.get("plain", 0),
    )


def _slot_open(i: Inputs, sealed: bytes) -> Output:
    root = open_slot(
        sealed,
        secret=bytearray(raw(i["secret"])),
        pepper=bytearray(raw(i["pepper"])),
        vault=i["vault"],
    )
    return {"root": root.view.hex()}


def _slot_seal(i: Inputs) -> bytes:
    profile = i["profile"]
    return seal_slot(
        RootKey(bytearray(raw(i["root"]))),
        kind=SlotKind[i["kind"]],
        secret=bytearray(raw(i["secret"])),
        pepper=bytearray(raw(i["pepper"])),
        vault=i["vault"],
        profile=Argon2Profile("vector", *profile) if profile else None,
        parameters=raw(i["parameters"]),
    )


def _recovery_open(_: Inputs, sealed: bytes) -> Output:
    return {"secret": RecoveryCode.parse(sealed).view.hex()}


def _recovery_seal(i: Inputs) -> bytes:
    return bytes(RecoveryCode(bytearray(raw(i["secret"]))).reveal())


def _keyring_open(i: Inputs, sealed: bytes) -> Output:
    ring = Keyring.open(sealed, root=RootKey(bytearray(raw(i["root"]))), vault=i["vault"])
    return {
        "generation": ring.generation,
        "keys": [
            {
                "id": key.key_id.hex(),
                "purpose": key.purpose.name,
                "compartment": str(key.compartment) if key.compartment else None,
                "epoch": key.epoch,
                "state": key.state.name,
                "suite": key.suite.name if key.suite else None,
                "label": key.label,
                "secret": key.secret.view.hex(),
            }
            for key in ring.lines()
        ],
        "month_key_trips_2026_03": ring.month_key(Compartment.TRIPS, "2026-03").view.hex(),
        "tag_month_2026_03": ring.index_key(Compartment.TRIPS).tag("month", "2026-03").hex(),
        "box_trips_key_id": ring.box(Compartment.TRIPS).key_id.hex(),
    }


def _keyring_seal(i: Inputs) -> bytes:
    ring = Keyring.create(i["vault"], at=instant(i["at"]))
    ring.add_holder(i["holder"], at=instant(i["at"]))
    return ring.seal(RootKey(bytearray(raw(i["root"]))))


def _manifest_open(i: Inputs, sealed: bytes) -> Output:
    found = MonthManifest.open(sealed, _month_key(i))
    return {
        "rows": [
            {
                "record_id": row.record_id.hex(),
                "kind": row.kind,
                "revision": row.revision,
                "start": row.start.isoformat() if row.start else None,
                "digest": row.digest.hex(),
                "destroyed": row.is_destroyed,
            }
            for row in found.rows.values()
        ]
    }


def _manifest_seal(i: Inputs) -> bytes:
    rows = [
        ManifestRow(
            raw(row["record_id"]),
            row["kind"],
            row["revision"],
            instant(row["start"]) if row["start"] else None,
            Digest(raw(row["digest"])),
            row["destroyed"],
        )
        for row in i["rows"]
    ]
    empty = MonthManifest(Compartment(i["compartment"]), i["month"])
    return empty.with_changes(put=rows).seal(_month_key(i))


def _head_open(i: Inputs, sealed: bytes) -> Output:
    key = AeadKey(bytearray(raw(i["head_key"])), epoch=i["epoch"])
    found = Head.open(sealed, key=key, vault=i["vault"])
    return {
        "seq": found.seq,
        "keyring_generation": found.keyring_generation,
        "manifests": [[c.value, m, d.hex()] for (c, m), d in found.manifests.items()],
        "drained": [[d, a, s.seq, s.manifest.hex()] for (d, a), s in found.drained.items()],
        "journal": [found.journal_count, found.journal_last.hex()],
        "commitment_of_zero_salt": Head.witness(sealed)
        .commitment(vault=i["vault"], salt=bytes(32))
        .hex(),
    }


def _head_seal(i: Inputs) -> bytes:
    found = Head(
        i["vault"],
        i["seq"],
        i["keyring_generation"],
        {(Compartment(c), m): Digest(raw(d)) for c, m, d in i["manifests"]},
        {(d, a): DrainMark(s, Digest(raw(m))) for d, a, s, m in i["drained"]},
        i["journal"][0],
        Digest(raw(i["journal"][1])),
    )
    return found.seal(AeadKey(bytearray(raw(i["head_key"])), epoch=i["epoch"]))


def _box_key(i: Inputs) -> BoxPrivateKey:
    return BoxPrivateKey(bytearray(raw(i["private"])), suite=SealSuite[i["suite"]])


def _box_open(i: Inputs, sealed: bytes) -> Output:
    return {"plaintext": _box_key(i).open(sealed, info=raw(i["info"])).hex()}


def _public_open(_: Inputs, sealed: bytes) -> Output:
    key = BoxPublicKey.decode(sealed)
    return {"suite": key.suite.name, "key_id": key.key_id.hex()}


def _public_seal(i: Inputs) -> bytes:
    return _box_key(i).public.encode()


def _box_for(i: Inputs) -> Callable[[bytes], BoxPrivateKey]:
    pair = _box_key(i)

    def find(key_id: bytes) -> BoxPrivateKey:
        if key_id != pair.key_id:
            raise KeyUnknownError("no such pair")
        return pair

    return find


def _deposit_open(i: Inputs, sealed: bytes) -> Output:
    found = open_deposit(sealed, box_for=_box_for(i), vault=i["vault"])
    said = verify_manifest(found.manifest, Ed25519Key.from_seed(raw(i["signer_seed"])).public)
    return {
        "depositor": said.depositor,
        "account": said.account,
        "seq": said.seq,
        "previous": said.previous.hex() if said.previous else None,
        "records": [record.decode() for record in found.records],
        "manifest_digest": SealedDeposit.parse(sealed).manifest_digest.hex(),
    }


def _receipt_open(i: Inputs, sealed: bytes) -> Output:
    receipt = DepositReceipt.parse(sealed)
    receipt.verify(Ed25519Key.from_seed(raw(i["signer_seed"])).public)
    return {
        "home": receipt.home,
        "vault": receipt.vault,
        "seq": receipt.seq,
        "digest": receipt.digest.hex(),
        "received_at": receipt.received_at.isoformat(),
    }


def _segment_open(i: Inputs, sealed: bytes) -> Output:
    found = open_segment(raw(i["header"]), sealed, box_for=_box_for(i), vault=i["vault"])
    return {"frames": [f.decode() for f in found.frames], "closed": found.is_closed}


def _document_open(i: Inputs, sealed: bytes) -> Output:
    found = open_document(sealed, key=_box_key(i))
    return {"name": found.name, "media_type": found.media_type, "content": found.content.decode()}


def _grant_open(i: Inputs, sealed: bytes) -> Output:
    with open_grant(sealed, key=_box_key(i), at=instant(i["at"])) as grant:
        return {
            "months": [
                [c.value, m, e, grant.month_key(c, m, epoch=e).view.hex()]
                for c, m, e in grant.months()
            ],
            "holder": grant.holder_secret(i["verifier"]).hex(),
        }


def _journal_open(i: Inputs, sealed: bytes) -> Output:
    row = JournalRow(i["seq"], Digest(raw(i["sealed_digest"])), Digest(raw(i["link"])), sealed)
    start = JournalTip(i["seq"] - 1, Digest(raw(i["previous"])))
    walk([row], vault=i["vault"], start=start)
    opened = open_entry(row, vault=i["vault"], key=_box_key(i))
    assert opened is not None
    return {"payload": opened.payload.decode(), "schema_version": opened.schema_version}


def _session_open(i: Inputs, sealed: bytes) -> Output:
    root = open_session(
        sealed,
        cookie=Secret(bytearray(raw(i["cookie"]))),
        session_key=raw(i["session_key"]),
        vault=i["vault"],
        expires_at=instant(i["expires_at"]),
    )
    return {"root": root.view.hex()}


def _session_seal(i: Inputs) -> bytes:
    return seal_session(
        RootKey(bytearray(raw(i["root"]))),
        cookie=Secret(bytearray(raw(i["cookie"]))),
        session_key=raw(i["session_key"]),
        vault=i["vault"],
        expires_at=instant(i["expires_at"]),
    )


def _token_arguments(i: Inputs) -> dict[str, Any]:
    return {
        "key": AeadKey(bytearray(raw(i["key"])), epoch=i["epoch"]),
        "vault": i["vault"],
        "account": i["account"],
        "connector": i["connector"],
    }


def _token_open(i: Inputs, sealed: bytes) -> Output:
    return {"token": open_token(sealed, **_token_arguments(i)).decode()}


def _token_seal(i: Inputs) -> bytes:
    return seal_token(i["token"].encode(), **_token_arguments(i))


def _link_open(i: Inputs, sealed: bytes) -> Output:
    secret = raw(i["secret"])
    proof = open_link(sealed, secret=secret, vault=i["vault"])
    return {"id": link_id(secret).hex(), "proof": proof.decode()}


def _link_seal(i: Inputs) -> bytes:
    return seal_link(i["proof"].encode(), secret=raw(i["secret"]), vault=i["vault"])


def _blob_arguments(i: Inputs) -> dict[str, Any]:
    return {
        "vault": i["vault"],
        "blob_id": raw(i["blob_id"]),
        "kind": i["kind"],
        "key": AeadKey(bytearray(raw(i["key"])), epoch=i["epoch"]),
    }


def _blob_open(i: Inputs, sealed: bytes) -> Output:
    content = b"".join(open_blob(io.BytesIO(sealed), **_blob_arguments(i)))
    return {"content": content.hex(), "digest": blob_digest(io.BytesIO(sealed)).hex()}


def _blob_seal(i: Inputs) -> bytes:
    out = io.BytesIO()
    seal_blob(io.BytesIO(raw(i["content"])), out, **_blob_arguments(i))
    return out.getvalue()


def _track_open(_: Inputs, sealed: bytes) -> Output:
    return {"points": [[at.isoformat(), lat, lon] for at, lat, lon in decode_track(sealed)]}


def _track_seal(i: Inputs) -> bytes:
    return encode_track([(instant(at), lat, lon) for at, lat, lon in i["points"]])


def _age_open(i: Inputs, sealed: bytes) -> Output:
    identity = (
        ScryptIdentity(i["passphrase"].encode(), max_log_n=14)
        if "passphrase" in i
        else X25519Identity.parse(i["identity"])
    )
    return {"payload": decrypt(io.BytesIO(sealed), [identity]).read().decode()}


LAYOUTS: dict[str, tuple[Callable[[Inputs, bytes], Output], Callable[[Inputs], bytes] | None]] = {
    "record": (_record_open, _record_seal),
    "slot": (_slot_open, _slot_seal),
    "slot-2": (_slot_open, None),
    "recovery-code": (_recovery_open, _recovery_seal),
    "keyring": (_keyring_open, _keyring_seal),
    "month-manifest": (_manifest_open, _manifest_seal),
    "head": (_head_open, _head_seal),
    "box": (_box_open, None),
    "box-public-key": (_public_open, _public_seal),
    "deposit": (_deposit_open, None),
    "receipt": (_receipt_open, None),
    "segment": (_segment_open, None),
    "document": (_document_open, None),
    "grant": (_grant_open, None),
    "journal": (_journal_open, None),
    "session": (_session_open, _session_seal),
    "source-token": (_token_open, _token_seal),
    "verify-link": (_link_open, _link_seal),
    "blob": (_blob_open, _blob_seal),
    "track": (_track_open, _track_seal),
    "age": (_age_open, None),
}
"""By layout: open, and seal where it is deterministic under fixed entropy."""
__all__ = ["LAYOUTS", "FixedEntropy", "fixed_entropy"]
