"""The register of decisions: what is committed to for each step of an application, and how anybody
checks it from files alone.

A leaf is SHA-256(0x00 ‖ salt(32) ‖ record), the record in canonical JSON (RFC 8785): the leaf hash
of RFC 9162 §2.1.1 over `salt ‖ record`. The salt lives and dies with the record; the leaf hash that
stays behind says nothing without it. The tree's head is a checkpoint: three lines (origin, size,
root in base64) in a signed note (C2SP `tlog-checkpoint` and `signed-note`, Ed25519), and a
timestamp of RFC 3161 over the note's bytes.

    MobilityError
    ├── CheckpointError (Refused)           `checkpoint-invalid`: not a checkpoint, or not signed so
    └── EvidenceMalformedError (InvalidInput)   `evidence-malformed`: not an evidence file
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Self

from cryptography.x509 import Certificate

from federation.credentials.offline import verify_offline
from federation.keys import PublicKey, SignatureMismatchError, Signer, decode_multikey
from federation.merkle import verify_inclusion
from federation.ports import CheckView
from federation.proofs.jcs import canonical_json
from federation.trust import TrustError, TrustSnapshot
from federation.verification import Outcome
from schemas.errors import InvalidInput, JsonRefusedError, MobilityError, Refused
from schemas.jsonld import parse_json

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Entry",
    "Evidence",
    "EvidenceMalformedError",
    "Step",
    "award_digest",
    "read_checkpoint",
    "record_of",
    "sign_checkpoint",
    "verify_evidence",
]

SALT: Final = 32
MAX_FILE: Final = 2_000_000
MAX_FILES: Final = 500
_ED25519: Final = b"\x01"
"""Signature type of the signed-note format."""
_DASH: Final = "\N{EM DASH} "


class CheckpointError(MobilityError, Refused):
    """Not a checkpoint, or not signed by the key it should be."""

    code: ClassVar[str] = "checkpoint-invalid"


class EvidenceMalformedError(MobilityError, InvalidInput):
    """Not an evidence file of a decision."""

    code: ClassVar[str] = "evidence-malformed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of an application as the register commits to it."""

    salt: bytes
    """32 random bytes."""
    record: bytes
    """Canonical JSON."""

    @classmethod
    def of(cls, record: Mapping[str, Any], *, salt: bytes) -> Self:
        """Commit to a record.

        Raises:
            JsonNotCanonicalError: it has no canonical form.
        """
        if len(salt) != SALT:
            raise ValueError("a salt has 32 bytes")
        return cls(salt, canonical_json(record))

    @property
    def preimage(self) -> bytes:
        """What is hashed; a file of these bytes has the leaf as its SHA-256."""
        return b"\x00" + self.salt + self.record

    @property
    def leaf(self) -> bytes:
        """The leaf hash, 32 bytes."""
        return hashlib.sha256(self.preimage).digest()

    @classmethod
    def from_preimage(cls, data: bytes) -> Self:
        """Inverse of `preimage`.

        Raises:
            EvidenceMalformedError: not one.
        """
        if len(data) <= 1 + SALT or data[:1] != b"\x00":
            raise EvidenceMalformedError("a leaf is 0x00, 32 random bytes and a record")
        return cls(data[1 : 1 + SALT], data[1 + SALT :])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Head of the register: how many leaves, and their root."""

    origin: str
    """Name of the register, also the name of its key in the note."""
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The signed text."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n".encode()


def _key_id(origin: str, public: bytes) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:4]


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The checkpoint as a signed note (UTF-8 text).

    Raises:
        ValueError: not an Ed25519 key, which is what the format is for.
    """
    if signer.algorithm != "Ed25519":
        raise ValueError("a checkpoint is signed with Ed25519")
    public = decode_multikey(signer.public_multikey()).raw
    signed = _key_id(checkpoint.origin, public) + signer.sign(checkpoint.text)
    line = f"{_DASH}{checkpoint.origin} {base64.b64encode(signed).decode()}\n"
    return checkpoint.text + b"\n" + line.encode()


_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}")


def read_checkpoint(note: bytes, key: PublicKey) -> Checkpoint:
    """Check a note's form and its signature by `key`.

    Raises:
        CheckpointError: see the class.
    """
    try:
        text, _, lines = note.decode("utf-8").partition("\n\n")
        origin, size, root = text.split("\n")
        if not origin or _SIZE.fullmatch(size) is None:
            raise CheckpointError("not a checkpoint")
        found = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
    except (UnicodeDecodeError, ValueError, binascii.Error):
        raise CheckpointError("not a checkpoint") from None
    if len(found.root) != hashlib.sha256().digest_size or found.text != f"{text}\n".encode():
        raise CheckpointError("not a checkpoint")
    expected = _key_id(origin, key.raw)
    for line in lines.splitlines():
        if not line.startswith(f"{_DASH}{origin} "):
            continue
        try:
            signed = base64.b64decode(line.rpartition(" ")[2], validate=True)
        except (ValueError, binascii.Error):
            raise CheckpointError("an unreadable signature line") from None
        if signed[:4] != expected:
            continue
        try:
            key.verify(found.text, signed[4:])
        except SignatureMismatchError:
            raise CheckpointError("another signature") from None
        return found
    raise CheckpointError("not signed by this key")


@dataclass(frozen=True, slots=True)
class Step:
    """One entry with its place in the tree of the checkpoint beside it."""

    entry: Entry
    position: int
    path: tuple[bytes, ...]
    timestamp: bytes | None = None
    """RFC 3161 reply over `entry.preimage`, where the aid asks for one of its own."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that shows what was decided on one application, when, and that it was not rewritten."""

    application: str
    hub: str
    """DID of the hub that keeps the register."""
    method: str
    """Its verification method."""
    multikey: str
    checkpoint: bytes
    """The signed note."""
    timestamp: bytes | None
    """RFC 3161 reply over the note; None: not there yet, or the hub has no authority."""
    authority: bytes
    """PEM of the authority's root, as the hub is set up; empty without one."""
    steps: tuple[Step, ...]
    award: Mapping[str, Any] | None

    def to_zip(self) -> bytes:
        """As one file. The same evidence gives the same bytes."""
        files: dict[str, bytes] = {"LISEZMOI.txt": _READ_ME.encode()}
        listed = []
        for number, step in enumerate(self.steps, start=1):
            name = f"etapes/{number:02d}"
            files[f"{name}.json"] = step.entry.record
            files[f"{name}.feuille"] = step.entry.preimage
            if step.timestamp is not None:
                files[f"{name}.tsr"] = step.timestamp
            listed.append(
                {
                    "feuille": f"{name}.feuille",
                    "leaf": step.entry.leaf.hex(),
                    "position": step.position,
                    "path": [node.hex() for node in step.path],
                }
            )
        manifest = {
            "version": 1,
            "application": self.application,
            "hub": self.hub,
            "verificationMethod": self.method,
            "publicKeyMultibase": self.multikey,
            "steps": listed,
        }
        files["preuve.json"] = json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"
        files["point-de-controle.txt"] = self.checkpoint
        if self.timestamp is not None:
            files["point-de-controle.tsr"] = self.timestamp
        if self.authority:
            files["autorite.pem"] = self.authority
        if self.award is not None:
            files["attribution.jsonld"] = json.dumps(self.award, ensure_ascii=False).encode()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        return out.getvalue()

    @classmethod
    def from_zip(cls, data: bytes) -> Self:
        """Read an evidence file.

        Raises:
            EvidenceMalformedError: not one, or over its bounds.
        """
        files = _unzip(data)
        try:
            manifest = parse_json(files["preuve.json"], max_bytes=MAX_FILE)
            award = files.get("attribution.jsonld")
            steps = []
            for listed in manifest["steps"]:
                name = str(listed["feuille"])
                entry = Entry.from_preimage(files[name])
                shown = files[f"{name.removesuffix('.feuille')}.json"]
                if shown != entry.record or listed["leaf"] != entry.leaf.hex():
                    raise EvidenceMalformedError("a record beside another leaf")
                position, path = listed["position"], [bytes.fromhex(n) for n in listed["path"]]
                if type(position) is not int or len(path) > 64:
                    raise EvidenceMalformedError("no place in a tree")
                stamp = files.get(f"{name.removesuffix('.feuille')}.tsr")
                steps.append(Step(entry, position, tuple(path), stamp))
            return cls(
                application=str(manifest["application"]),
                hub=str(manifest["hub"]),
                method=str(manifest["verificationMethod"]),
                multikey=str(manifest["publicKeyMultibase"]),
                checkpoint=files["point-de-controle.txt"],
                timestamp=files.get("point-de-controle.tsr"),
                authority=files.get("autorite.pem", b""),
                steps=tuple(steps),
                award=None if award is None else parse_json(award, max_bytes=MAX_FILE),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvidenceMalformedError(f"unreadable: {type(error).__name__}") from None
        except JsonRefusedError as error:
            raise EvidenceMalformedError(str(error)) from None


def _unzip(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_FILES or sum(m.file_size for m in members) > 10 * MAX_FILE:
                raise EvidenceMalformedError("too large")
            return {member.filename: _bounded(archive, member) for member in members}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise EvidenceMalformedError(f"not a ZIP: {type(error).__name__}") from None


def _bounded(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as opened:
        data = opened.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise EvidenceMalformedError("too large")
    return data


_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "records": ("Étapes de la demande", "Steps of the application"),
    "timestamp": ("Horodatage", "Timestamp"),
    "checkpoint": ("Signature du registre", "Signature of the register"),
    "inclusion": ("Registre des décisions", "Register of decisions"),
    "award": ("Aide accordée", "Award"),
}
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "record-mismatch": (
        "Une étape n'est pas de cette demande, ou n'est plus dans sa forme d'origine.",
        "A step is not of this application, or no longer in its original form.",
    ),
    "timestamp-pending": (
        "Pas encore d'horodatage : redemandez ce fichier plus tard.",
        "Not timestamped yet: ask for this file again later.",
    ),
    "timestamp-invalid": (
        "L'horodatage n'est pas valable pour ce contenu.",
        "The timestamp is not valid for this content.",
    ),
    "checkpoint-invalid": (
        "Le point de contrôle n'est pas signé par une clé du guichet inscrite au registre.",
        "The checkpoint is not signed by a key of the desk that the registry lists.",
    ),
    "inclusion": (
        "Chaque étape est inscrite à sa place.",
        "Each step is recorded in its place.",
    ),
    "not-included": (
        "Une étape n'est pas inscrite au registre des décisions.",
        "A step is not in the register of decisions.",
    ),
    "award": (
        "C'est l'aide que la décision inscrite accorde, signée par le financeur.",
        "It is the award that the recorded decision grants, signed by the funder.",
    ),
    "award-missing": (
        "L'aide accordée manque à ce dossier.",
        "The award is missing from this file.",
    ),
    "award-mismatch": (
        "Ce n'est pas l'aide que la décision inscrite accorde.",
        "It is not the award that the recorded decision grants.",
    ),
    "award-unsigned": (
        "L'aide accordée n'est pas signée par le financeur.",
        "The award is not signed by the funder.",
    ),
}


def verify_evidence(
    evidence: Evidence,
    *,
    trust: TrustSnapshot,
    at: datetime,
    roots: Sequence[Certificate] = (),
) -> tuple[CheckView, ...]:
    """Check an evidence file, offline.

    1. Each record is canonical JSON of this application, in order.
    2. The timestamps, over the checkpoint and over single leaves, are good. With `roots` the
       authority must be below one of them; else the root that came along is named with its
       fingerprint, for the reader to compare.
    3. The checkpoint is signed with the key that the registry pins for the hub, good at the instant
       of the timestamp, or at `at` without one.
    4. Each leaf stands where it says in the checkpoint's tree.
    5. The award is the one that its record names, and the funder signed it. Whether it was revoked
       since is another question (`mobility verify attribution.jsonld`).

    No timestamp yet is *cannot tell*, and no failure.
    """
    made: list[CheckView] = []

    def say(name: str, outcome: Outcome, words: tuple[str, str], code: str = "") -> None:
        title_fr, title_en = _TITLES[name]
        made.append(
            CheckView(
                step=1 + list(_TITLES).index(name),
                code=code or name,
                outcome=outcome.value,
                detail="",
                words={
                    "fr": words[0],
                    "en": words[1],
                    "step_fr": title_fr,
                    "step_en": title_en,
                },
            )
        )

    records = _records(evidence)  # 1
    if records is None:
        say("records", Outcome.FAIL, _WORDS["record-mismatch"], "record-mismatch")
        return tuple(made)
    count = len(records)
    say("records", Outcome.PASS, (f"{count} étapes, intactes.", f"{count} steps, intact."))
    instant = _timestamps(evidence, roots, say) or at  # 2
    try:  # 3
        checkpoint = read_checkpoint(evidence.checkpoint, trust.key(evidence.method, instant))
    except (CheckpointError, TrustError) as error:
        say("checkpoint", Outcome.FAIL, _WORDS["checkpoint-invalid"], error.code)
        return tuple(made)
    origin, size = checkpoint.origin, checkpoint.size
    say(
        "checkpoint",
        Outcome.PASS,
        (
            f"« {origin} », {size} étapes inscrites, signé par le guichet.",
            f"“{origin}”, {size} steps recorded, signed by the desk.",
        ),
    )
    is_held = all(  # 4
        verify_inclusion(
            step.entry.leaf,
            index=step.position,
            size=size,
            path=step.path,
            root=checkpoint.root,
        )
        for step in evidence.steps
    )
    code = "inclusion" if is_held else "not-included"
    say("inclusion", Outcome.PASS if is_held else Outcome.FAIL, _WORDS[code], code)
    code = _award(evidence, records, trust, instant)  # 5
    if code:
        outcome = Outcome.PASS if code == "award" else Outcome.FAIL
        say("award", outcome, _WORDS[code], code)
    return tuple(made)


def _records(evidence: Evidence) -> list[Mapping[str, Any]] | None:
    found = []
    for step in evidence.steps:
        try:
            record = parse_json(step.entry.record, max_bytes=MAX_FILE)
            if canonical_json(record) != step.entry.record:
                return None
        except MobilityError:
            return None
        found.append(record)
    numbers = [record.get("seq") for record in found]
    is_whole = all(record.get("application") == evidence.application for record in found)
    in_order = numbers == list(range(len(numbers))) or (
        all(type(n) is int for n in numbers) and numbers == sorted(set(numbers), key=int)
    )  # what came before the register is not in it
    return found if found and is_whole and in_order else None


def _timestamps(
    evidence: Evidence, roots: Sequence[Certificate], say: Callable[..., None]
) -> datetime | None:
    """The instant of the checkpoint's timestamp, when it is good."""
    from federation.timestamps import (  # costs 0.1 s: loaded when there is one to read
        TimestampError,
        authority_words,
        read_roots,
        read_timestamp,
    )

    instant = None
    stamped = [(s.entry.preimage, s.timestamp) for s in evidence.steps if s.timestamp is not None]
    if evidence.timestamp is None:
        code = "timestamp-pending"
        say("timestamp", Outcome.CANNOT_TELL, _WORDS[code], code)
    else:
        stamped.insert(0, (evidence.checkpoint, evidence.timestamp))
    for data, reply in stamped:
        try:
            trusted = roots or read_roots(evidence.authority)
            stamp = read_timestamp(reply, hashlib.sha256(data).digest(), roots=trusted)
        except TimestampError as error:
            say("timestamp", Outcome.FAIL, _WORDS["timestamp-invalid"], error.code)
            continue
        say("timestamp", Outcome.PASS, authority_words(stamp, is_given=not roots))
        if data is evidence.checkpoint:
            instant = stamp.at
    return instant


def _award(
    evidence: Evidence,
    records: Sequence[Mapping[str, Any]],
    trust: TrustSnapshot,
    at: datetime,
) -> str:
    """Code of what the award is worth; empty where nothing was granted."""
    named = [record["award"] for record in records if record.get("award")]
    if evidence.award is None:
        is_granted = bool(named) and records[-1].get("state") in ("accepted", "awarded", "paid")
        return "award-missing" if is_granted else ""
    if not named or named[-1] != award_digest(evidence.award):
        return "award-mismatch"
    found = verify_offline(json.dumps(evidence.award).encode(), trust=trust, at=at)
    failed = [c for c in found.checks if c.outcome is Outcome.FAIL]
    return "award-unsigned" if failed or not found.checks else "award"


def award_digest(award: Mapping[str, Any]) -> str:
    """`sha256:` of the award's canonical JSON, as a record names it."""
    return "sha256:" + hashlib.sha256(canonical_json(award)).hexdigest()


def record_of(
    *,
    application: str,
    seq: int,
    aid: str,
    aid_version: str,
    funder: str,
    period: tuple[Any, Any],
    state: str,
    at: datetime,
    actor: str,
    reason: str,
    amount: int | None,
    automatic: bool,
    package: str | None,
    award: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What the register commits to of one step; `at` to the microsecond, amounts in cents."""
    return {
        "version": 1,
        "application": application,
        "seq": seq,
        "aid": aid,
        "aidVersion": aid_version,
        "funder": funder,
        "period": [day.isoformat() for day in period],
        "state": state,
        "at": at.isoformat(timespec="microseconds"),
        "actor": actor,
        "reason": reason,
        "amountCents": amount,
        "automatic": automatic,
        "package": package,
        "award": None if award is None else award_digest(award),
    }


_READ_ME: Final = """\
PREUVE D'UNE DÉCISION

Ce dossier montre ce qui a été décidé sur une demande d'aide, et quand, sans croire personne.

  etapes/NN.json            chaque étape de la demande, telle qu'elle est inscrite
  etapes/NN.feuille         la même, précédée de 0x00 et de 32 octets aléatoires :
                            son SHA-256 est la feuille inscrite au registre
  preuve.json               la place de chaque feuille dans l'arbre (RFC 9162, section 2.1.3)
  point-de-controle.txt     la tête du registre, signée par le guichet (Ed25519, « signed note »)
  point-de-controle.tsr     l'horodatage de ce fichier (RFC 3161), s'il est déjà là
  autorite.pem              la racine de l'autorité d'horodatage : comparez-la à la sienne
  attribution.jsonld        l'aide accordée, signée par le financeur

Tout vérifier :             mobility verify FICHIER.zip
L'horodatage seul :         openssl ts -verify -data point-de-controle.txt \\
                              -in point-de-controle.tsr -CAfile autorite.pem
Une feuille seule :         sha256sum etapes/01.feuille

EVIDENCE OF A DECISION

This file shows what was decided on an application, and when, without having to believe anybody:
each step as recorded (etapes/NN.json), its leaf (etapes/NN.feuille, whose SHA-256 is in the
register), its place in the tree (preuve.json), the register's signed head (point-de-controle.txt),
that file's RFC 3161 timestamp (point-de-controle.tsr) and the award signed by the funder.
"""
