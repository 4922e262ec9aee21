# ruff: noqa: E501  # one vector a line reads better than four
"""Writes the vectors that are not there yet. A file that exists is frozen: delete it on purpose,
before a release, never after.
"""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from federation.keys import Ed25519Key
from federation.sealing import (
    DepositReceipt,
    FunderKey,
    SealSuite,
    SegmentWriter,
    build_deposit,
    seal,
    seal_document,
)
from federation.sealing.age import ScryptRecipient, encrypt
from federation.sealing.compression import compress
from schemas.ids import Did, digest
from schemas.records import Compartment
from tests.vectors.crypto.layouts import LAYOUTS, fixed_entropy, raw
from vault.crypto.age import X25519Identity
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.envelope import destroy_data_key
from vault.crypto.grant import GrantScope, seal_grant
from vault.crypto.journal_entry import JournalTip, append_entry
from vault.crypto.kdf import Argon2Profile
from vault.crypto.keyring import Keyring
from vault.crypto.secret import RootKey, Secret
from vault.crypto.slots import SlotKind, rewrap_slot, seal_slot

HERE = Path(__file__).parent
AT = datetime(2026, 3, 2, 7, 15, tzinfo=UTC)
VAULT = "b6a4c1d2-coffre"
LABEL = "mobility-vault test vectors 1"
OFF_THE_GLOBE = bytes.fromhex("0200c0ebd60800")  # one point, second 0, latitude 91°, longitude 0°
PAYLOAD = '{"type":"Trip","schema_version":1,"distance":4210,"mode":"bicycle"}'


HEADER = 47 + 2 + 2 + 1221
"""Bytes of a slot's header of version 2 without parameters; the public key begins at 51."""
ROOT = 2 + 1178 + 12 + 48
"""Bytes of `lp(box) ‖ nonce ‖ root ‖ tag` at its end."""


def ring_key(*, other: bool = False) -> Secret:
    return Secret(bytearray((b"\x9a" if other else b"\x99") * 32))


def seal_second(inputs: dict[str, Any], *, other_ring: bool = False) -> bytes:
    """A slot of version 2; HPKE draws its own random bytes."""
    profile = inputs["profile"]
    return seal_slot(
        RootKey(bytearray(raw(inputs["root"]))),
        kind=SlotKind[inputs["kind"]],
        secret=bytearray(raw(inputs["secret"])),
        pepper=bytearray(raw(inputs["pepper"])),
        vault=inputs["vault"],
        profile=Argon2Profile("vector", *profile) if profile else None,
        parameters=raw(inputs["parameters"]),
        ring_key=ring_key(other=other_ring),
    )


def flip(data: bytes, index: int) -> bytes:
    index %= len(data)
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def put(data: bytes, index: int, value: int) -> bytes:
    return data[:index] + bytes([value]) + data[index + 1 :]


def good(
    layout: str, name: str, inputs: dict[str, Any], sealed: bytes | None = None
) -> dict[str, Any]:
    """A vector that opens; sealed here where sealing is deterministic."""
    opener, sealer = LAYOUTS[layout]
    vector: dict[str, Any] = {"name": name, "expect": "success", "inputs": inputs}
    if sealed is None:
        assert sealer is not None
        vector["entropy"] = f"{LABEL}: {layout}: {name}"
        with fixed_entropy(vector["entropy"]):
            sealed = sealer(inputs)
    vector["sealed"] = sealed.hex()
    vector["output"] = opener(inputs, sealed)
    return vector


def bad(
    base: dict[str, Any], name: str, expect: str, sealed: bytes | None = None, **inputs: Any
) -> dict[str, Any]:
    """A vector that is refused with this code."""
    return {
        "name": name,
        "expect": expect,
        "inputs": {**base["inputs"], **inputs},
        "sealed": base["sealed"] if sealed is None else sealed.hex(),
    }


def write(layout: str, vectors: list[dict[str, Any]]) -> None:
    path = HERE / f"{layout}.json"
    if path.exists():
        return
    document = {
        "layout": layout,
        "version": 1,
        "licence": "Apache-2.0",
        "specification": "vault/crypto/README.md",
        "vectors": vectors,
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


PARTED = "0123456789abcdefghijklmnopqrstuvwxyzABCD" + '"seenOrigin":{"lat":43.2,"lon":2.35},' * 3


def symmetric() -> None:
    inputs: dict[str, Any] = {
        "vault": VAULT,
        "record_key": "11" * 32,
        "compartment": "trips",
        "month": "2026-03",
        "epoch": 1,
        "record_id": "22" * 16,
        "revision": 3,
        "kind": "Trip",
        "payload": PAYLOAD,
        "schema_version": 1,
    }
    base = good("record", "a trip", inputs)
    data = raw(base["sealed"])
    write("record", [
        base,
        good("record", "a later schema version", {**inputs, "schema_version": 7}),
        good("record", "a kind without dictionary", {**inputs, "kind": "Later", "payload": "x" * 900}),
        good("record", "empty payload, undated, epoch 2", {**inputs, "payload": "", "month": "undated", "epoch": 2}),
        good("record", "first bytes as they are", {**inputs, "kind": "Observation", "payload": PARTED, "plain": 40}),
        good("record", "every byte as it is", {**inputs, "plain": len(inputs["payload"].encode())}),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "another kind", "seal-broken", kind="Invoice"),
        bad(base, "another month", "seal-broken", month="2026-04"),
        bad(base, "another compartment", "seal-broken", compartment="aids"),
        bad(base, "key of another epoch", "record-epoch", epoch=2),
        bad(base, "row of another record", "record-mismatch", record_id="23" * 16),
        bad(base, "row of another revision", "record-mismatch", revision=4),
        bad(base, "epoch changed", "record-epoch", put(data, 7, 2)),
        bad(base, "wrap nonce changed", "seal-broken", flip(data, 8)),
        bad(base, "wrapped key changed", "seal-broken", flip(data, 20)),
        bad(base, "wrap tag changed", "seal-broken", flip(data, 67)),
        bad(base, "body changed", "seal-broken", flip(data, 89)),
        bad(base, "tag changed", "seal-broken", flip(data, -1)),
        bad(base, "body cut", "seal-broken", data[:-1]),
        bad(base, "header cut", "layout-invalid", data[:80]),
        bad(base, "empty", "layout-invalid", b""),
        bad(base, "version 2", "layout-invalid", put(data, 3, 2)),
        bad(base, "another layout", "layout-invalid", put(data, 2, ord("S"))),
        bad(base, "suite 9", "suite-unknown", put(data, 68, 9)),
        bad(base, "shredded", "data-key-destroyed", destroy_data_key(data)),
    ])  # fmt: skip

    slot: dict[str, Any] = {
        "vault": VAULT, "root": "33" * 32, "pepper": "44" * 32, "kind": "PASSPHRASE",
        "secret": "Trèbes à vélo".encode().hex(), "profile": [64, 2], "parameters": "",
    }  # fmt: skip
    base = good("slot", "passphrase", slot)
    data = raw(base["sealed"])
    code = {**slot, "kind": "RECOVERY", "secret": "55" * 32, "profile": None}
    write("slot", [
        base,
        good("slot", "recovery code", code),
        good("slot", "passkey", {**code, "kind": "PASSKEY_PRF", "parameters": "0102030405"}),
        good("slot", "shares", {**code, "kind": "SHARES", "parameters": "0203"}),
        bad(base, "another passphrase", "wrong-secret", secret=b"autre".hex()),
        bad(base, "another pepper", "wrong-secret", pepper="45" * 32),
        bad(base, "another vault", "wrong-secret", vault="other"),
        bad(base, "salt changed", "wrong-secret", flip(data, 31)),
        bad(base, "commitment changed", "wrong-secret", flip(data, 49)),
        bad(base, "wrapped root changed", "seal-broken", flip(data, 93)),
        bad(base, "four terabytes of memory", "slot-parameters-refused", put(data, 22, 0xFF)),
        bad(base, "two lanes", "slot-parameters-refused", put(data, 30, 2)),
        bad(base, "unknown derivation", "slot-parameters-refused", put(data, 21, 2)),
        bad(base, "unknown kind", "layout-invalid", put(data, 4, 9)),
        bad(base, "cut", "layout-invalid", data[:-1]),
        bad(base, "followed", "layout-invalid", data + b"\x00"),
        bad(base, "version 2", "layout-invalid", put(data, 3, 2)),
    ])  # fmt: skip

    kinds = {
        "passphrase": slot,
        "recovery code": code,
        "passkey": {**code, "kind": "PASSKEY_PRF", "parameters": "0102030405"},
        "shares": {**code, "kind": "SHARES", "parameters": "0203"},
    }
    second = {name: seal_second(inputs) for name, inputs in kinds.items()}
    data = second["passphrase"]
    base = good("slot-2", "passphrase", slot, data)
    renewed = rewrap_slot(data, RootKey(bytearray(b"\x77" * 32)), ring_key=ring_key(), vault=VAULT)
    forged = seal_second({**slot, "root": "88" * 32}, other_ring=True)
    write("slot-2", [
        base,
        *(good("slot-2", name, kinds[name], sealed) for name, sealed in second.items() if name != "passphrase"),
        good("slot-2", "root renewed without the passphrase", {**slot, "root": "77" * 32}, renewed),
        bad(base, "another passphrase", "wrong-secret", secret=b"autre".hex()),
        bad(base, "another pepper", "wrong-secret", pepper="45" * 32),
        bad(base, "public key changed", "wrong-secret", flip(data, 60)),
        bad(base, "seed changed", "seal-broken", flip(data, HEADER + 44)),
        bad(base, "box changed", "seal-broken", flip(data, -100)),
        bad(base, "root changed", "seal-broken", flip(data, -1)),
        bad(base, "the root of another slot", "seal-broken", data[:-ROOT] + forged[-ROOT:]),
        bad(base, "cut", "layout-invalid", data[:-1]),
        bad(base, "followed", "layout-invalid", data + b"\x00"),
    ])  # fmt: skip

    base = good("recovery-code", "a code", {"secret": bytes(range(32)).hex()})
    text = raw(base["sealed"])
    write("recovery-code", [
        base,
        {**good("recovery-code", "as a person types it", base["inputs"], text.lower().replace(b"-", b" ").replace(b"0", b"o").replace(b"1", b"l"))},
        bad(base, "one character wrong", "recovery-code-mistyped", text[:-1] + (b"A" if text[-1:] != b"A" else b"B")),
        bad(base, "two groups swapped", "recovery-code-mistyped", text[5:9] + b"-" + text[:4] + text[9:]),
        bad(base, "one character short", "recovery-code-mistyped", text[:-1]),
        bad(base, "a letter that no code has", "recovery-code-mistyped", b"U" + text[1:]),
    ])  # fmt: skip

    ring = {
        "vault": VAULT,
        "root": "66" * 32,
        "at": AT.isoformat(),
        "holder": "did:web:financeur.example",
    }
    base = good("keyring", "a new ring with one holder key", ring)
    data = raw(base["sealed"])
    write("keyring", [
        base,
        bad(base, "another root", "seal-broken", root="67" * 32),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "generation changed", "seal-broken", flip(data, 7)),
        bad(base, "body changed", "seal-broken", flip(data, 40)),
        bad(base, "cut", "seal-broken", data[:-1]),
        bad(base, "header only", "layout-invalid", data[:20]),
        bad(base, "version 2", "layout-invalid", put(data, 3, 2)),
    ])  # fmt: skip

    rows = [
        {"record_id": f"{n:02x}" * 16, "kind": kind, "revision": n, "start": start, "digest": f"{n:02x}" * 32, "destroyed": n == 3}
        for n, kind, start in ((1, "Trip", AT.isoformat()), (2, "Observation", None), (3, "Trip", AT.isoformat()))
    ]  # fmt: skip
    month = {k: inputs[k] for k in ("vault", "record_key", "compartment", "month", "epoch")}
    base = good("month-manifest", "three rows", {**month, "rows": rows})
    data = raw(base["sealed"])
    write("month-manifest", [
        base,
        good("month-manifest", "no rows", {**month, "rows": []}),
        bad(base, "another month", "seal-broken", month="2026-04"),
        bad(base, "another compartment", "seal-broken", compartment="aids"),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "another epoch", "record-epoch", epoch=2),
        bad(base, "changed", "seal-broken", flip(data, 30)),
        bad(base, "cut", "seal-broken", data[:-1]),
        bad(base, "version 2", "layout-invalid", put(data, 3, 2)),
    ])  # fmt: skip

    head = {
        "vault": VAULT, "head_key": "77" * 32, "epoch": 1, "seq": 42, "keyring_generation": 2,
        "manifests": [["trips", "2026-03", "01" * 32], ["aids", "undated", "02" * 32]],
        "drained": [["did:web:operateur.example", "compte", 7, "03" * 32]],
        "journal": [5, "04" * 32],
    }  # fmt: skip
    base = good("head", "two months, one depositor", head)
    data = raw(base["sealed"])
    write("head", [
        base,
        good("head", "the first", {**head, "seq": 0, "manifests": [], "drained": [], "journal": [0, "00" * 32]}),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "another key", "seal-broken", head_key="78" * 32),
        bad(base, "another epoch", "record-epoch", epoch=2),
        bad(base, "seq changed", "seal-broken", flip(data, 15)),
        bad(base, "changed", "seal-broken", flip(data, -1)),
        bad(base, "cut", "layout-invalid", data[:20]),
        bad(base, "version 2", "layout-invalid", put(data, 3, 2)),
    ])  # fmt: skip

    session = {
        "vault": VAULT,
        "root": "33" * 32,
        "cookie": "88" * 32,
        "session_key": "99" * 32,
        "expires_at": AT.isoformat(),
    }
    base = good("session", "a row", session)
    data = raw(base["sealed"])
    write("session", [
        base,
        bad(base, "another cookie", "seal-broken", cookie="89" * 32),
        bad(base, "another home", "seal-broken", session_key="9a" * 32),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "expiry moved", "seal-broken", expires_at=(AT + timedelta(days=1)).isoformat()),
        bad(base, "changed", "seal-broken", flip(data, -1)),
        bad(base, "cut", "layout-invalid", data[:-1]),
        bad(base, "followed", "layout-invalid", data + b"\x00"),
    ])  # fmt: skip

    token = {
        "vault": VAULT,
        "account": "a",
        "connector": "tracemob",
        "key": "aa" * 32,
        "epoch": 1,
        "token": "jeton",
    }
    base = good("source-token", "a token", token)
    data = raw(base["sealed"])
    write("source-token", [
        base,
        bad(base, "another connector", "seal-broken", connector="cozy"),
        bad(base, "another account", "seal-broken", account="b"),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "another epoch", "seal-broken", epoch=2),
        bad(base, "changed", "seal-broken", flip(data, -1)),
        bad(base, "cut", "layout-invalid", data[:30]),
    ])  # fmt: skip

    link = {"vault": VAULT, "secret": "dd" * 32, "proof": '{"type":"UsageProof","days":41}'}
    base = good("verify-link", "a printed attestation", link)
    data = raw(base["sealed"])
    write("verify-link", [
        base,
        bad(base, "another secret", "seal-broken", secret="de" * 32),
        bad(base, "a short secret", "seal-broken", secret="dd" * 16),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "changed", "seal-broken", flip(data, -1)),
        bad(base, "cut", "layout-invalid", data[:10]),
    ])  # fmt: skip

    blob = {
        "vault": VAULT,
        "blob_id": "bb" * 16,
        "kind": "track",
        "key": "cc" * 32,
        "epoch": 1,
        "content": b"points".hex(),
    }
    base = good("blob", "a small blob", blob)
    data = raw(base["sealed"])
    write("blob", [
        base,
        good("blob", "empty", {**blob, "content": ""}),
        bad(base, "another kind", "seal-broken", kind="document"),
        bad(base, "another vault", "seal-broken", vault="other"),
        bad(base, "another blob", "record-mismatch", blob_id="bc" * 16),
        bad(base, "another epoch", "record-epoch", epoch=2),
        bad(base, "wrap changed", "seal-broken", flip(data, 10)),
        bad(base, "chunk changed", "seal-broken", flip(data, -1)),
        bad(base, "no chunk", "blob-truncated", data[:88]),
        bad(base, "header cut", "layout-invalid", data[:60]),
        bad(base, "shredded", "data-key-destroyed", data[:8] + bytes(60) + data[68:]),
    ])  # fmt: skip

    points = [
        [
            (AT + timedelta(seconds=5 * n)).isoformat(),
            round(43.21 + n / 5000, 5),
            round(2.35 - n / 7000, 5),
        ]
        for n in range(6)
    ]
    base = good("track", "six points", {"points": points})
    data = raw(base["sealed"])
    write("track", [
        base,
        good("track", "no point", {"points": []}),
        good("track", "the corners of the globe", {"points": [[AT.isoformat(), 90.0, 180.0], [AT.isoformat(), -90.0, -180.0]]}),
        bad(base, "cut", "track-refused", data[:-1]),
        bad(base, "version 2", "track-refused", put(data, 0, 2)),
        bad(base, "empty", "track-refused", b""),
        bad(base, "off the globe", "track-refused", b"\x01" + compress(OFF_THE_GLOBE)),
    ])  # fmt: skip

    key = {
        "suite": "MLKEM768_X25519",
        "private": "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
    }
    base = good("box-public-key", "hybrid: the first vector of the X-Wing draft", key)
    data = raw(base["sealed"])
    small = good("box-public-key", "X25519", {"suite": "X25519", "private": "dd" * 32})
    write("box-public-key", [
        base,
        small,
        good("box-public-key", "P-256", {"suite": "P256", "private": "dd" * 32}),
        bad(base, "cut", "box-key-invalid", data[:-1]),
        bad(base, "followed", "box-key-invalid", data + b"\x00"),
        bad(base, "suite 9", "suite-unknown", put(data, 4, 9)),
        bad(base, "version 2", "layout-invalid", put(data, 3, 2)),
    ])  # fmt: skip


def boxes() -> None:
    keys = {suite: BoxPrivateKey(bytearray(b"\xdd" * 32), suite=suite) for suite in SealSuite}
    vectors = []
    for suite, pair in keys.items():
        inputs = {"suite": suite.name, "private": "dd" * 32, "info": b"info".hex()}
        base = good("box", suite.name, inputs, seal(b"bonjour", to=pair.public, info=b"info"))
        data = raw(base["sealed"])
        vectors += [
            base,
            bad(base, f"{suite.name}: another purpose", "seal-broken", info=b"other".hex()),
            bad(base, f"{suite.name}: another key", "key-unknown", private="de" * 32),
            bad(base, f"{suite.name}: key id changed", "key-unknown", flip(data, 2)),
            bad(base, f"{suite.name}: changed", "seal-broken", flip(data, -1)),
            bad(base, f"{suite.name}: encapsulated key changed", "seal-broken", flip(data, 14)),
            bad(base, f"{suite.name}: cut", "layout-invalid", data[:40]),
            bad(base, f"{suite.name}: version 2", "layout-invalid", put(data, 0, 2)),
            bad(base, f"{suite.name}: suite 9", "suite-unknown", put(data, 1, 9)),
        ]
    write("box", vectors)

    pair = keys[SealSuite.MLKEM768_X25519]
    key = {"suite": "MLKEM768_X25519", "private": "dd" * 32, "vault": VAULT}
    signer_seed = "ee" * 32
    signer = Ed25519Key.from_seed(raw(signer_seed)).signer("did:web:operateur.example#1")
    deposit = build_deposit(
        [b'{"n":1}', b'{"n":2}'], vault=VAULT, depositor_signer=signer, account="compte", seq=1,
        previous=None, to=pair.public, at=AT,
    )  # fmt: skip
    second = build_deposit(
        [b'{"n":3}'], vault=VAULT, depositor_signer=signer, account="compte", seq=2,
        previous=deposit.manifest_digest, to=pair.public, at=AT,
    )  # fmt: skip
    inputs = {**key, "signer_seed": signer_seed}
    base = good("deposit", "two records", inputs, deposit.data)
    data = deposit.data
    write("deposit", [
        base,
        good("deposit", "the second of its chain", inputs, second.data),
        bad(base, "of another vault", "deposit-wrong-vault", vault="other"),
        bad(base, "header changed to this vault", "deposit-refused", data.replace(VAULT.encode(), b"c" + VAULT.encode()[1:], 1), vault="c" + VAULT[1:]),
        bad(base, "account changed", "deposit-refused", data.replace(b"compte", b"Compte", 1)),
        bad(base, "another drop-box", "deposit-refused", private="df" * 32),
        bad(base, "signed by somebody else", "manifest-signature", signer_seed="ef" * 32),
        bad(base, "changed", "deposit-refused", flip(data, -1)),
        bad(base, "cut", "deposit-refused", data[:60]),
        bad(base, "version 2", "deposit-refused", put(data, 3, 2)),
    ])  # fmt: skip

    home = Ed25519Key.from_seed(raw(signer_seed)).signer("did:web:maison.example#1")
    receipt = DepositReceipt.issue(
        deposit, home=Did("did:web:maison.example"), received_at=AT, signer=home
    )
    base = good("receipt", "of the first deposit", {"signer_seed": signer_seed}, receipt.data)
    write("receipt", [
        base,
        bad(base, "signed by another home", "receipt-signature", signer_seed="ef" * 32),
        bad(base, "changed", "receipt-signature", flip(receipt.data, 12)),
        bad(base, "cut", "layout-invalid", receipt.data[:-1]),
    ])  # fmt: skip

    segment = SegmentWriter(
        vault=VAULT, depositor=Did("did:web:app.example"), account="a", to=pair.public, at=AT
    )
    frames = segment.append(b"p1", points=1) + segment.append(b"p2", points=1)
    closed = frames + segment.close()
    inputs = {**key, "header": segment.header.hex()}
    base = good("segment", "closed", inputs, closed)
    write("segment", [
        base,
        good("segment", "the home died", inputs, frames),
        good("segment", "the home died in the middle of a frame", inputs, frames[:-3]),
        bad(base, "another vault", "deposit-wrong-vault", vault="other"),
        bad(base, "first frame gone", "deposit-refused", closed[27:]),
        bad(base, "changed", "deposit-refused", flip(closed, 12)),
        bad(base, "mark changed", "deposit-refused", put(frames, 4, 1)),
        bad(base, "bytes after the last frame", "deposit-refused", closed + bytes(9)),
    ])  # fmt: skip

    vectors = []
    for suite, pair_ in keys.items():
        funder = FunderKey(Did("did:web:financeur.example"), 2, pair_.public, AT)
        sealed = seal_document(
            b"facture",
            name="facture.pdf",
            media_type="application/pdf",
            application="urn:uuid:1",
            to=funder,
            at=AT,
        )
        base = good("document", suite.name, {"suite": suite.name, "private": "dd" * 32}, sealed)
        vectors += [
            base,
            bad(base, f"{suite.name}: key version changed", "seal-broken", sealed.replace(b"\x00\x00\x00\x02\x00\x0a", b"\x00\x00\x00\x03\x00\x0a", 1)),
            bad(base, f"{suite.name}: another application", "seal-broken", sealed.replace(b"urn:uuid:1", b"urn:uuid:2", 1)),
            bad(base, f"{suite.name}: another key", "key-unknown", private="de" * 32),
        ]  # fmt: skip
    write("document", vectors)

    with fixed_entropy(f"{LABEL}: grant ring"):
        ring = Keyring.create(VAULT, at=AT)
        ring.add_holder("did:web:financeur.example", at=AT)
    scope = GrantScope(
        {Compartment.TRIPS: ["2026-03", "2027-01"]},
        frozenset({Compartment.AIDS}),
        "did:web:financeur.example",
    )
    sealed = seal_grant(ring, scope, to=pair.public, expires_at=AT + timedelta(days=30))
    inputs = {
        "suite": key["suite"],
        "private": key["private"],
        "at": AT.isoformat(),
        "verifier": "did:web:financeur.example",
    }
    base = good("grant", "two months, one drop-box, one holder key", inputs, sealed)
    write("grant", [
        base,
        bad(base, "past its date", "grant-expired", at=(AT + timedelta(days=30)).isoformat()),
        bad(base, "its date moved", "seal-broken", put(sealed, 20 + 2 + len(VAULT) + 2, 0x7F), at=AT.isoformat()),
        bad(base, "another delegate", "key-unknown", private="de" * 32),
        bad(base, "another verifier", "outside-grant", verifier="did:web:autre.example"),
        bad(base, "changed", "seal-broken", flip(sealed, -1)),
    ])  # fmt: skip

    tip = JournalTip(6, digest(b"previous"))
    row = append_entry(b'{"act":"drain"}', vault=VAULT, tip=tip, to=pair.public)
    assert row.sealed is not None
    inputs = {
        **key,
        "seq": 7,
        "previous": tip.last.hex(),
        "sealed_digest": row.sealed_digest.hex(),
        "link": row.link.hex(),
    }
    base = good("journal", "an entry", inputs, row.sealed)
    write("journal", [
        base,
        bad(base, "body changed", "journal-altered", flip(row.sealed, -1)),
        bad(base, "link changed", "journal-altered", link="00" * 32),
        bad(base, "behind another entry", "journal-altered", previous="00" * 32),
        bad(base, "another number", "journal-altered", seq=8),
        bad(base, "another vault", "journal-altered", vault="other"),
        bad(base, "another key", "key-unknown", private="de" * 32),
    ])  # fmt: skip

    identity = X25519Identity(bytearray(b"\x42" * 32))
    vectors = []
    for name, recipient, inputs in (
        ("X25519", identity.recipient, {"identity": identity.reveal()}),
        ("scrypt", ScryptRecipient(b"passe", log_n=10), {"passphrase": "passe"}),
    ):
        out = io.BytesIO()
        with encrypt(out, [recipient]) as stream:
            stream.write(b"archive")
        data = out.getvalue()
        base = good("age", name, inputs, data)
        other = (
            {"identity": X25519Identity(bytearray(b"\x43" * 32)).reveal()}
            if name == "X25519"
            else {"passphrase": "autre"}
        )
        mark = data.index(b"--- ")
        vectors += [
            base,
            bad(base, f"{name}: another key", "age-no-match", **other),
            bad(base, f"{name}: MAC changed", "age-mac", put(data, mark + 5, ord("A") if data[mark + 5] != ord("A") else ord("B"))),
            bad(base, f"{name}: payload changed", "age-payload", flip(data, -1)),
            bad(base, f"{name}: payload cut", "age-payload", data[:-1]),
            bad(base, f"{name}: header cut", "age-header", data[: mark - 3]),
            bad(base, f"{name}: version 2", "age-header", data.replace(b"/v1\n", b"/v2\n", 1)),
        ]  # fmt: skip
    write("age", vectors)


if __name__ == "__main__":
    symmetric()
    boxes()
