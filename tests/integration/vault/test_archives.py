"""Leaving with everything: what an archive reproduces, and what an edited one may not claim."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from federation.sealing.age import ScryptRecipient, encrypt
from schemas.evidence import Evidence
from schemas.ids import digest_text
from schemas.jsonld import to_jsonld
from schemas.modes import Mode
from schemas.observations import ClaimBy, DocumentObservation
from schemas.records import Attribute, Compartment, Consent, Invoice, Kind, Trip
from schemas.units import Cents
from tests.integration.vault.world import (
    OPERATOR,
    PASSPHRASE,
    TRACEMOB,
    Clock,
    Source,
    iri,
    label,
    records_of_every_kind,
    registry,
    settings,
    trip,
)
from vault.errors import ArchiveInvalidError
from vault.home import Home
from vault.model import NewVault, RestoreReport
from vault.open_vault import OpenVault

SECRET = "mot de passe de l'archive"
MOVED = "phrase du nouvel hébergeur"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Home]:
    """One home for all: what a test restores is a vault of its own."""
    with Home.open(settings(tmp_path_factory.mktemp("a") / "home"), clock=clock) as home:
        home.use_trust(registry())
        yield home


@pytest.fixture(scope="module")
def owner(home: Home) -> str:
    """The session of the vault that is exported; no test changes it."""
    new = home.create_vault(PASSPHRASE, label="Camille Pradelles")
    cookie = home.unlock(new.vault_id, passphrase=PASSPHRASE, client="a").cookie_value
    fill(home, new, home.session(cookie))
    return cookie


@pytest.fixture
def filled(home: Home, owner: str) -> OpenVault:
    return home.session(owner)


@pytest.fixture(scope="module")
def archive(home: Home, owner: str) -> bytes:
    return export(home.session(owner))


def fill(home: Home, new: NewVault, vault: OpenVault) -> None:
    source = Source(home, new.vault_id)
    source.deposit(*(trip(f"x{n}", n * 1440 * 9, track=n % 2 == 0) for n in range(6)))
    source.deposit(label("x0", 1, 24, 500, mode=Mode.EBIKE))
    operator = Source(home, new.vault_id, did=OPERATOR, account="conducteur")
    operator.deposit(
        trip("covoit", 5000, source="carpool-operator", mode=Mode.CARPOOL, by=ClaimBy.OPERATOR)
    )
    bills = Source(
        home, new.vault_id, did=OPERATOR, account="factures", compartment=Compartment.INVOICES
    )
    bills.deposit(
        DocumentObservation(
            id=iri("facture déposée"),
            source="carpool-operator",
            account="factures",
            record=records_of_every_kind("déposée")[0],  # type: ignore[arg-type]
        )
    )
    vault.drain(None)
    first, second, *_ = sorted(trips(vault), key=lambda t: t.started_at)
    vault.correct(second.id, purpose="travail")
    vault.delete(sorted(trips(vault), key=lambda t: t.started_at)[-1].id)
    vault.put(*records_of_every_kind("mise"))
    assert first.evidence is not Evidence.DECLARED


def trips(vault: OpenVault) -> list[Trip]:
    return [t for t in vault.all(Kind.TRIP) if isinstance(t, Trip)]


def export(vault: OpenVault) -> bytes:
    out = io.BytesIO()
    vault.export(out, passphrase=SECRET)
    return out.getvalue()


def moved(home: Home, archive: bytes) -> tuple[RestoreReport, OpenVault]:
    report = home.restore(io.BytesIO(archive), SECRET, MOVED)
    token = home.unlock(report.vault_id, passphrase=MOVED, client="a")
    return report, home.session(token.cookie_value)


def everything(vault: OpenVault) -> dict[str, object]:
    return {
        "records": {
            kind: sorted(
                (json.dumps(to_jsonld(r), sort_keys=True) for r in vault.all(kind)),
            )
            for kind in Kind
            if kind is not Kind.OBSERVATION
        },
        "observations": sorted(
            (
                o.iri,
                o.digest,
                o.received.depositor,
                o.received.account,
                o.received.manifest,
                o.received.index,
                o.received.received_at,
                o.received.ceiling.value,
                vault.deposited(o),
            )
            for o in vault.all_observed()
        ),
        "tracks": {t.id: vault.track(t.id) for t in trips(vault)},
        "consents": vault.all(Kind.CONSENT),
    }


def edited(
    archive: bytes,
    edit: Callable[[dict[str, bytes]], None],
    *,
    close: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """The archive opened with another age, changed, and closed again."""
    members: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(pyrage.passphrase.decrypt(archive, SECRET))) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            members[member.name] = file.read()
    edit(members)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return (close or sealed)(out.getvalue())


def sealed(tar: bytes) -> bytes:
    """As age does, with as few rounds as the home under test spends."""
    out = io.BytesIO()
    with encrypt(out, [ScryptRecipient(SECRET.encode(), log_n=10)]) as stream:
        stream.write(tar)
    return out.getvalue()


def test_restoring_reproduces_every_digest_evidence_and_consent(
    home: Home, archive: bytes, filled: OpenVault
) -> None:
    before = everything(filled)
    report, after = moved(home, archive)
    assert everything(after) == before
    assert report.lowered == 0
    assert home.fsck(report.vault_id, after).clean
    consent = after.all(Kind.CONSENT)[0]
    assert isinstance(consent, Consent)
    assert consent.receipt["note"] == "reçu mise"


def test_an_archive_that_another_age_closed_again_moves_as_it_was(
    home: Home, filled: OpenVault, archive: bytes
) -> None:
    closed = edited(
        archive, lambda _: None, close=lambda tar: pyrage.passphrase.encrypt(tar, SECRET)
    )
    _, after = moved(home, closed)
    assert everything(after) == everything(filled)


def test_moving_twice_is_moving_once(home: Home, archive: bytes) -> None:
    _, once = moved(home, archive)
    report, twice = moved(home, export(once))
    assert report.lowered == 0
    assert everything(twice) == everything(once)


def test_what_was_deleted_stays_deleted_after_moving(home: Home, archive: bytes) -> None:
    report, after = moved(home, archive)
    source = Source(home, report.vault_id)
    source.deposit(*(trip(f"x{n}", n * 1440 * 9, track=n % 2 == 0) for n in range(6)))
    count = len(trips(after))
    assert after.drain(None).trips_new == 0
    assert len(trips(after)) == count


def test_another_home_that_knows_the_registry_computes_the_same_evidence(
    home: Home, filled: OpenVault, archive: bytes, clock: Clock, tmp_path: Path
) -> None:
    """The first home's receipts count elsewhere when the registry pins the first home's key."""
    from federation.trust import PinnedKey, Role, TrustEntry
    from tests.integration.vault.world import EPOCH

    signer = home.signer()
    old = TrustEntry(
        did=home.did,
        name="ancien hébergeur",
        roles=frozenset({Role.HOME}),
        keys=(PinnedKey(signer.public_multikey(), signer.verification_method, EPOCH),),
    )
    classes = sorted((t.id, t.evidence.value, t.mode_evidence.value) for t in trips(filled))
    with Home.open(settings(tmp_path / "b", did="did:web:b.example"), clock=clock) as other:
        _, stranger = moved(other, archive)  # knows no registry: believes nothing
        assert {t.evidence for t in trips(stranger)} <= {Evidence.DECLARED, Evidence.CONFIRMED}
        other.use_trust(registry(old))
        report, after = moved(other, archive)
        assert report.lowered == 0
        found = sorted((t.id, t.evidence.value, t.mode_evidence.value) for t in trips(after))
        assert found == classes


EDITS: dict[str, tuple[str, str]] = {
    "distance": ('\\"distance\\":8200', '\\"distance\\":98200'),
    "mode": ('\\"mode\\":\\"bicycle\\"', '\\"mode\\":\\"carpool\\"'),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_observation_whose_distance_or_mode_was_edited_imports_as_declared(
    home: Home, archive: bytes, what: str
) -> None:
    name, (old, new_value) = "observations/observations.jsonl", EDITS[what]
    target = iri("observation x2")

    def edit(members: dict[str, bytes]) -> None:
        lines = members[name].decode().splitlines()
        changed = [
            line.replace(old, new_value) if target in line and '\\"seenOrigin\\"' in line else line
            for line in lines
        ]
        assert changed != lines
        members[name] = "\n".join(changed).encode() + b"\n"

    report, after = moved(home, edited(archive, edit))
    assert report.lowered == 1
    classes = {t.observations[0]: (t.evidence, t.mode_evidence) for t in trips(after)}
    assert classes.pop(target) == (Evidence.DECLARED, Evidence.DECLARED)
    assert all(evidence is not Evidence.DECLARED for evidence, _ in classes.values())
    assert home.fsck(report.vault_id, after).clean


def test_a_class_written_into_an_archive_is_not_believed(
    home: Home, archive: bytes, filled: OpenVault
) -> None:
    classes = sorted((t.id, t.evidence.value, t.mode_evidence.value) for t in trips(filled))

    def edit(members: dict[str, bytes]) -> None:
        name = "observations/observations.jsonl"
        members[name] = members[name].replace(
            b'"evidenceCeiling":"sensed"', b'"evidenceCeiling":"registry"'
        )
        name = "records/trips.jsonl"
        members[name] = members[name].replace(b'"sensed"', b'"registry"').replace(b":8200", b":9")
        name = "records/invoices.jsonl"
        members[name] = members[name].replace(b'"declared"', b'"registry"')

    _, after = moved(home, edited(archive, edit))
    found = sorted((t.id, t.evidence.value, t.mode_evidence.value) for t in trips(after))
    assert found == classes
    assert {t.distance for t in trips(after)} == {8200}
    bills = {i.id: i.evidence for i in after.all(Kind.INVOICE)}  # type: ignore[union-attr]
    assert bills == {
        iri("invoice mise"): Evidence.DECLARED,
        iri("invoice déposée"): Evidence.OPERATOR,
    }


def test_an_invoice_whose_amount_was_edited_imports_as_declared(home: Home, archive: bytes) -> None:
    def edit(members: dict[str, bytes]) -> None:
        name = "records/invoices.jsonl"
        members[name] = members[name].replace(b"4210", b"94210")

    _, after = moved(home, edited(archive, edit))
    bills = after.all(Kind.INVOICE)
    assert {i.total for i in bills if isinstance(i, Invoice)} == {94210}
    assert {i.evidence for i in bills if isinstance(i, Invoice)} == {Evidence.DECLARED}


def test_an_invoice_that_its_source_sent_twice_keeps_its_class(home: Home) -> None:
    """Two deposits lie behind one record: the one that says what the record says lends its class,
    whichever comes first."""
    new = home.create_vault(PASSPHRASE)
    cookie = home.unlock(new.vault_id, passphrase=PASSPHRASE, client="a").cookie_value
    vault = home.session(cookie)
    bills = Source(
        home, new.vault_id, did=OPERATOR, account="factures", compartment=Compartment.INVOICES
    )
    first = records_of_every_kind("déposée")[0]
    assert isinstance(first, Invoice)
    for number in range(6):
        sent = replace(first, total=Cents(4_000 + number))
        bills.deposit(
            DocumentObservation(
                id=iri(f"envoi {number}"),
                source="carpool-operator",
                account="factures",
                record=sent,
            )
        )
    vault.drain(None)
    (before,) = vault.all(Kind.INVOICE)
    assert isinstance(before, Invoice)
    assert (before.total, before.evidence) == (4_005, Evidence.OPERATOR)
    report, after = moved(home, export(vault))
    assert report.lowered == 0
    assert after.all(Kind.INVOICE) == [before]


def test_an_attribute_raised_by_hand_imports_as_claimed(home: Home, archive: bytes) -> None:
    def edit(members: dict[str, bytes]) -> None:
        name = "records/attributes.jsonl"
        members[name] = members[name].replace(b'"claimed"', b'"signed"')

    _, after = moved(home, edited(archive, edit))
    assert {a.degree.value for a in after.attributes()} == {"claimed"}


def test_a_manifest_of_another_depositor_does_not_lend_its_class(
    home: Home, archive: bytes
) -> None:
    """An observation that names the operator's manifest, at an index that says another digest."""

    def edit(members: dict[str, bytes]) -> None:
        name = "observations/observations.jsonl"
        lines = [json.loads(line) for line in members[name].splitlines()]
        lent = next(line for line in lines if line["evidenceCeiling"] == "operator")
        for line in lines:
            if line["evidenceCeiling"] == "sensed":
                for member in ("manifest", "index", "depositor", "evidenceCeiling"):
                    line[member] = lent[member]
        members[name] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    report, after = moved(home, edited(archive, edit))
    assert report.lowered == 6  # five trips of the telephone, and the label
    assert {t.evidence for t in trips(after) if "covoit" not in str(t)} <= {
        Evidence.DECLARED,
        Evidence.CONFIRMED,
        Evidence.OPERATOR,
    }


def test_a_wrong_passphrase_is_refused_by_type_and_leaves_nothing(
    home: Home, archive: bytes
) -> None:
    vaults = home.vaults()
    with pytest.raises(ArchiveInvalidError) as refused:
        home.restore(io.BytesIO(archive), "une autre", MOVED)
    assert refused.value.code == "archive-invalid"
    assert refused.value.where == "age-no-match"
    assert home.vaults() == vaults


def test_a_truncated_archive_is_refused_by_type_wherever_it_was_cut(
    home: Home, archive: bytes
) -> None:
    vaults = home.vaults()
    size = len(archive)
    cuts = {0, 1, 20, 100, 200, size // 3, size // 2, size - 17, size - 16, size - 1}
    for cut in sorted(cuts):
        with pytest.raises(ArchiveInvalidError):
            home.restore(io.BytesIO(archive[:cut]), SECRET, MOVED)
    changed = bytearray(archive)
    changed[size // 2] ^= 1
    with pytest.raises(ArchiveInvalidError):
        home.restore(io.BytesIO(bytes(changed)), SECRET, MOVED)
    assert home.vaults() == vaults


def _without(name: str) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        del members[name]

    return edit


def _with(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        members[name] = content

    return edit


MALFORMED: dict[str, Callable[[dict[str, bytes]], None]] = {
    "no manifest": _without("manifest.json"),
    "manifest of another form": _with("manifest.json", b"[]"),
    "members of another form": _with(
        "manifest.json", b'{"format": "mobility-vault-archive/1", "members": []}'
    ),
    "a listed member missing": _without("records/trips.jsonl"),
    "observations not JSON": _with("observations/observations.jsonl", b"{\n"),
    "observation unreadable": _with("observations/observations.jsonl", b'{"raw": "{}"}\n'),
    "record unreadable": _with("records/invoices.jsonl", b'{"type": "Invoice"}\n'),
    "record of another kind": _with("records/invoices.jsonl", b'{"type": "Rocket"}\n'),
    "record no object": _with("records/invoices.jsonl", b"[1]\n"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_archive_is_refused_by_type_and_leaves_no_vault(
    home: Home, archive: bytes, name: str
) -> None:
    broken = edited(archive, MALFORMED[name])
    vaults = home.vaults()
    with pytest.raises(ArchiveInvalidError):
        home.restore(io.BytesIO(broken), SECRET, MOVED)
    assert home.vaults() == vaults


def test_every_member_of_an_archive_is_listed_with_its_digest(
    filled: OpenVault, archive: bytes
) -> None:
    from schemas.ids import digest

    seen: dict[str, bytes] = {}
    edited(archive, seen.update)
    manifest = json.loads(seen["manifest.json"])
    unlisted = {"FORMAT", "manifest.json", "manifest.sig"}
    assert set(manifest["members"]) == set(seen) - unlisted
    for name, said in manifest["members"].items():
        assert digest_text(digest(seen[name])) == said
    assert replace(filled.all(Kind.ATTRIBUTE)[0], revision=1) in filled.all(Kind.ATTRIBUTE)
    assert all(isinstance(a, Attribute) for a in filled.all(Kind.ATTRIBUTE))
    assert TRACEMOB in seen["observations/observations.jsonl"].decode()
