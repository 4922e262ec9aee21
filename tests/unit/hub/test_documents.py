"""Documents sealed in the vault to the funder's key: the hub keeps what it cannot open."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.hub.errors import (
    ApplicationUnknownError,
    DocumentRefusedError,
    HolderProofError,
)
from federation.hub.holder_proof import sign_status_proof
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.ports import DocumentEnvelope
from federation.sealing import BoxPublicKey, FunderKey, SealSuite, seal_document
from portal.errors import FunderCodeError
from portal.funder_key import code_of, open_sealed, read_code
from schemas.ids import Did, Iri, mint_iri
from tests.hub_world import Citizen, World, build_world
from vault.crypto.box_key import BoxPrivateKey
from vault.crypto.errors import KeyUnknownError, SealBrokenError
from vault.errors import DocumentRefusedError as FileRefusedError

PASSWORD = "un mot de passe long"
RIB = b"%PDF-1.7\nIBAN FR76 3000 1007 9412 3456 7890 185\n%%EOF\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.context.close()


def officer(world: World) -> Member:
    return world.context.members.add("o@agglo.example", PASSWORD, name="Sabatier", funder="agglo")


def published(world: World, who: Member) -> tuple[BoxPrivateKey, FunderKey]:
    """A key as the funder's browser makes it, and what vaults read of it."""
    private = BoxPrivateKey.generate(SealSuite.P256)
    key = world.context.document_keys.publish(who, private.public.raw)
    did = Did(world.context.settings.funder_did("agglo"))
    public = BoxPublicKey.decode(key.public)
    return private, FunderKey(did, key.version, public, key.not_after)


def waiting(world: World) -> tuple[Citizen, Iri]:
    citizen = world.citizen()
    application, _ = citizen.apply(
        LocalHub(world.context), citizen.usage(days=12), citizen.affiliation()
    )
    return citizen, application


def sealed(world: World, key: FunderKey, application: Iri, content: bytes = RIB) -> bytes:
    return seal_document(
        content,
        name="rib.pdf",
        media_type="application/pdf",
        application=application,
        to=key,
        at=world.clock(),
    )


def attach(world: World, citizen: Citizen, application: Iri, data: bytes) -> None:
    world.context.applications.attach(
        application,
        proof_jwt=sign_status_proof(
            application,
            holder=citizen.key.signer(),
            audience=world.context.settings.did,
            at=world.clock(),
        ),
        document=DocumentEnvelope("RIB", "application/octet-stream", "k", data),
    )


def code(private: BoxPrivateKey) -> str:
    return code_of(bytes(private.view))


def test_a_joined_document_opens_with_the_printed_code_and_the_hub_never_had_its_bytes(
    world: World, tmp_path: Path
) -> None:
    who = officer(world)
    private, key = published(world, who)
    citizen, application = waiting(world)
    data = sealed(world, key, application)
    attach(world, citizen, application, data)
    attach(world, citizen, application, data)
    view = world.context.desk.open(who, application)
    assert [name for name, _, _ in view.documents] == ["RIB"], "the same bytes twice are one"
    kept = world.context.desk.document(who, application, 0).sealed
    found, ending = open_sealed(kept, code(private).lower().replace("-", " "))
    assert (found.content, found.name, found.application, ending) == (
        RIB, "rib.pdf", application, "pdf",
    )  # fmt: skip
    assert view.view.history[-1].reason == "Document joint : RIB"
    # Nothing in the hub's state opens it or shows it: files of the folder, all of them.
    for file in tmp_path.rglob("*"):
        if file.is_file():
            held = file.read_bytes()
            assert b"FR76" not in held and b"rib.pdf" not in held, file
            assert bytes(private.view) not in held, file


def test_a_new_package_loses_no_document(world: World) -> None:
    who = officer(world)
    _, key = published(world, who)
    citizen, application = waiting(world)
    attach(world, citizen, application, sealed(world, key, application))
    world.context.desk.request_information(who, application, message="Et mai ?")
    citizen.apply(
        LocalHub(world.context),
        citizen.usage(days=20),
        citizen.affiliation(),
        application=application,
    )
    attach(world, citizen, application, sealed(world, key, application, b"%PDF-2 autre"))
    assert len(world.context.desk.open(who, application).documents) == 2


def test_what_is_not_sealed_for_this_application_and_a_live_key_is_refused(world: World) -> None:
    who = officer(world)
    _, key = published(world, who)
    citizen, application = waiting(world)
    foreign = dataclasses.replace(key, funder=Did("did:web:ailleurs.example"))
    other = dataclasses.replace(key, public=BoxPrivateKey.generate(SealSuite.P256).public)
    cases = {
        "malformed": b"MVF\x01garbage",
        "not-for-this-application": sealed(world, key, mint_iri()),
        "unknown-key": sealed(world, other, application),
        "too-large": b"x" * (world.context.settings.document_bytes + 1),
    }
    for reason, data in cases.items():
        with pytest.raises(DocumentRefusedError) as refused:
            attach(world, citizen, application, data)
        assert refused.value.reason == reason
    for data in (sealed(world, foreign, application), b"", RIB):
        with pytest.raises(DocumentRefusedError):
            attach(world, citizen, application, data)
    late = sealed(world, key, application)
    world.clock.at = key.not_after
    world.clock.advance(seconds=1)
    with pytest.raises(DocumentRefusedError) as refused:
        attach(world, citizen, application, late)
    assert refused.value.reason == "expired-key"
    assert world.context.desk.open(who, application).documents == ()


def test_only_the_holder_joins_while_it_waits_and_five_at_most(world: World) -> None:
    who = officer(world)
    _, key = published(world, who)
    citizen, application = waiting(world)
    with pytest.raises(ApplicationUnknownError):
        attach(world, world.citizen(), application, sealed(world, key, application))
    with pytest.raises(HolderProofError):
        world.context.applications.attach(
            application,
            proof_jwt="x",
            document=DocumentEnvelope("RIB", "a/b", "k", sealed(world, key, application)),
        )
    for number in range(world.context.settings.documents):
        attach(world, citizen, application, sealed(world, key, application, b"%%PDF-%d" % number))
    with pytest.raises(DocumentRefusedError) as refused:
        attach(world, citizen, application, sealed(world, key, application, b"%PDF-x"))
    assert refused.value.reason == "too-many"
    other, decided = waiting(world)
    world.context.desk.decide(who, decided, accept=False, reason="12 jours")
    with pytest.raises(DocumentRefusedError) as refused:
        attach(world, other, decided, sealed(world, key, decided))
    assert refused.value.reason == "closed"


def test_a_document_moved_to_another_application_or_changed_does_not_open(world: World) -> None:
    who = officer(world)
    private, key = published(world, who)
    data = sealed(world, key, mint_iri())
    for index in (5, len(data) // 2, len(data) - 1):
        bent = bytearray(data)
        bent[index] ^= 1
        with pytest.raises(Exception) as refused:
            open_sealed(bytes(bent), code(private))
        assert getattr(refused.value, "code", ""), refused.value
    second, _ = published(world, who)
    with pytest.raises(KeyUnknownError):
        open_sealed(data, code(second))
    with pytest.raises(SealBrokenError):
        open_sealed(data[:-1] + bytes([data[-1] ^ 1]), code(private))


def test_a_program_that_calls_itself_a_pdf_is_not_written(world: World) -> None:
    private, key = published(world, officer(world))
    for content in (b"MZ\x90\x00" + b"\x00" * 60, b"<html><script>alert(1)</script></html>"):
        data = sealed(world, key, mint_iri(), content)
        with pytest.raises(FileRefusedError):
            open_sealed(data, code(private))


def test_a_code_with_one_wrong_letter_is_refused_and_letters_that_look_alike_are_read() -> None:
    private = BoxPrivateKey.generate(SealSuite.P256)
    text = code(private)
    assert bytes(read_code(text)) == bytes(private.view)
    assert bytes(read_code(text.replace("0", "O").replace("1", "l"))) == bytes(private.view)
    for index, char in enumerate(text):
        if char == "-":
            continue
        wrong = "2" if char != "2" else "3"
        with pytest.raises(FunderCodeError):
            read_code(text[:index] + wrong + text[index + 1 :])
    for bad in ("", "A" * 56, text[:-1], text + "A", "é" * 56):
        with pytest.raises(FunderCodeError):
            read_code(bad)
