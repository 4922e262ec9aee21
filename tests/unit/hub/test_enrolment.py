"""A funder of one person: invitation, SIRET, agreement, passkey, document key, first aid."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from federation.aids.model import AidStatus, CheckMode, FunderLevel
from federation.hub.access import Caller
from federation.hub.agreement import current_agreement
from federation.hub.aid_templates import AidTemplate, Choices
from federation.hub.document_keys import KEY_TYP
from federation.hub.enrolment import Enrolment
from federation.hub.errors import (
    AgreementMissingError,
    ApplicationUnknownError,
    ColleagueUnknownError,
    EntryRefusedError,
    InvitationRefusedError,
    LastWayInError,
    NotAllowedError,
    NotSignedInError,
    PasskeyRefusedError,
    WrongPasswordError,
)
from federation.hub.members import Member
from federation.hub.siret import is_siret
from federation.jose import verify_jws
from federation.multibase import b64url_decode
from federation.sealing import BoxPublicKey
from tests.authenticator import Authenticator
from tests.hub_world import World, build_world

PASSWORD = "un mot de passe long"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.context.close()


def wanted(**changes: Any) -> Enrolment:
    values: dict[str, Any] = {
        "organisation": "Mairie de Trèbes",
        "siret": "732 829 320 00074",
        "level": FunderLevel.EMPLOYER,
        "service": "Ressources humaines",
        "contact": "rh@trebes.example",
        "person": "Camille Roux",
        "login": "Camille@Trebes.example",
        "agreement": current_agreement().digest,
        **changes,
    }
    return Enrolment(**values)


def enrolled(world: World, **changes: Any) -> Member:
    hub = world.context
    session = hub.enrolment.enrol(wanted(**changes), secret=hub.enrolment.invite())
    hub.members.set_password(session.member, PASSWORD)
    return session.member


def point() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("73282932000074", True),
        ("73282932000075", False),
        ("35600000000048", True),  # La Poste's seat passes Luhn
        ("35600000049837", True),  # an office of La Poste: digit sum 45
        ("35600000049838", False),
        ("00000000000000", False),
        ("7328293200007", False),
        ("7328293200007４", False),
        ("", False),
    ],
)
def test_a_siret_is_checked_by_its_key_and_la_poste_by_its_own_rule(text: str, good: bool) -> None:
    assert is_siret(text) is good


def test_without_an_invitation_nobody_opens_a_desk(world: World) -> None:
    enrolment = world.context.enrolment
    assert not enrolment.is_open
    for secret in ("", "x" * 43):
        with pytest.raises(InvitationRefusedError):
            enrolment.enrol(wanted(), secret=secret)
    assert world.context.publishing.funder("mairie-de-trebes") is None


def test_an_invitation_lets_one_funder_in_for_seven_days(world: World) -> None:
    hub = world.context
    secret = hub.enrolment.invite()
    session = hub.enrolment.enrol(wanted(), secret=secret)
    assert session.member.login == "camille@trebes.example"
    assert session.member.roles == {Caller.OFFICER, Caller.SUPERVISOR, Caller.EDITOR}
    funder = hub.publishing.funder("mairie-de-trebes")
    assert funder is not None and funder.siret == "73282932000074"
    assert hub.registry.entry(funder.did) is None, "accredited by its first aid, not before"
    hub.members.set_password(session.member, PASSWORD)
    with pytest.raises(InvitationRefusedError):
        hub.enrolment.enrol(wanted(siret="35600000000048", login="b@c.example"), secret=secret)
    late = hub.enrolment.invite()
    world.clock.advance(days=7)
    with pytest.raises(InvitationRefusedError):
        hub.enrolment.enrol(wanted(siret="35600000000048", login="b@c.example"), secret=late)


def test_an_invitation_for_one_establishment_opens_no_other(world: World) -> None:
    secret = world.context.enrolment.invite(siret="35600000000048")
    with pytest.raises(EntryRefusedError) as refused:
        world.context.enrolment.enrol(wanted(), secret=secret)
    assert refused.value.where == "siret"


def test_the_database_keeps_no_secret_of_a_link(world: World, tmp_path: Path) -> None:
    secret = world.context.enrolment.invite()
    data = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
    assert secret.encode() not in data


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"organisation": " "}, "organisation"),
        ({"siret": "73282932000075"}, "siret"),
        ({"siret": "20003529100018"}, "siret"),  # the world's own funder
        ({"service": ""}, "service"),
        ({"contact": "rh"}, "contact"),
        ({"person": ""}, "person"),
        ({"login": "camille"}, "login"),
        ({"login": "a@b.example\nBcc: c@d.example"}, "login"),
        ({"agreement": "sha256:" + "0" * 64}, "agreement"),
        ({"agreement": ""}, "agreement"),
    ],
)
def test_what_does_not_hold_is_refused_by_its_field(
    world: World, changes: dict[str, str], where: str
) -> None:
    hub = world.context
    with pytest.raises(EntryRefusedError) as refused:
        hub.enrolment.enrol(wanted(**changes), secret=hub.enrolment.invite())
    assert refused.value.where == where
    assert hub.publishing.funder("mairie-de-trebes") is None


def test_an_establishment_has_one_desk_and_an_address_one_account(world: World) -> None:
    enrolled(world)
    with pytest.raises(EntryRefusedError) as refused:
        enrolled(world, login="autre@trebes.example")
    assert refused.value.where == "siret"
    with pytest.raises(EntryRefusedError) as refused:
        enrolled(world, siret="35600000000048", organisation="La Poste")
    assert refused.value.where == "login"


def test_two_who_open_the_same_desk_at_once_get_one(world: World) -> None:
    outcomes: list[str] = []

    def enter(number: int) -> None:
        try:
            enrolled(world, login=f"p{number}@trebes.example")
            outcomes.append("in")
        except (EntryRefusedError, NotSignedInError):
            outcomes.append("refused")

    threads = [threading.Thread(target=enter, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    slugs = [f.slug for f in world.context.publishing.funders() if f.siret == "73282932000074"]
    assert slugs == ["mairie-de-trebes"]
    assert len(world.context.members.members("mairie-de-trebes")) == 1


def test_an_unfinished_desk_is_taken_up_with_the_same_link_and_its_first_session_ends(
    world: World,
) -> None:
    hub = world.context
    secret = hub.enrolment.invite()
    assert hub.enrolment.resume(secret) is None
    first = hub.enrolment.enrol(wanted(), secret=secret)
    again = hub.enrolment.resume(secret)
    assert again is not None and again.member == first.member
    other = hub.enrolment.enrol(wanted(login="b@trebes.example"), secret=hub.enrolment.invite())
    with pytest.raises(NotSignedInError):
        hub.members.session(first.cookie)
    assert hub.members.members("mairie-de-trebes") == (other.member,)


def test_a_colleague_joins_with_their_roles_and_leaves(world: World) -> None:
    hub = world.context
    boss = enrolled(world)
    secret = hub.enrolment.invite_colleague(boss, roles=frozenset((Caller.EDITOR,)), note="Sacha")
    assert [i.note for i in hub.enrolment.waiting(boss)] == ["Sacha"]
    session = hub.enrolment.join(secret, person="Sacha Petit", login="sacha@trebes.example")
    assert session.member.roles == {Caller.EDITOR}
    assert session.member.funder == "mairie-de-trebes"
    with pytest.raises(NotAllowedError):
        hub.enrolment.invite_colleague(session.member, roles=frozenset((Caller.OFFICER,)))
    with pytest.raises(NotAllowedError):
        hub.desk.queue(session.member)
    hub.enrolment.send_away(boss, session.member.id)
    with pytest.raises(NotSignedInError):
        hub.members.session(session.cookie)
    with pytest.raises(InvitationRefusedError):
        hub.enrolment.resume(secret)
    assert hub.enrolment.team(boss) == (boss,)
    with pytest.raises(NotAllowedError):
        hub.enrolment.send_away(boss, boss.id)


def test_nobody_sends_away_people_of_another_funder(world: World) -> None:
    hub = world.context
    boss = enrolled(world)
    stranger = hub.members.add("x@agglo.example", PASSWORD, funder="agglo")
    with pytest.raises(ColleagueUnknownError):
        hub.enrolment.send_away(boss, stranger.id)
    assert hub.members.sign_in("x@agglo.example", PASSWORD).member == stranger


def test_a_cancelled_invitation_lets_nobody_in(world: World) -> None:
    hub = world.context
    boss = enrolled(world)
    secret = hub.enrolment.invite_colleague(boss, roles=frozenset((Caller.OFFICER,)))
    hub.enrolment.take_back(boss, hub.enrolment.waiting(boss)[0].id)
    with pytest.raises(InvitationRefusedError):
        hub.enrolment.join(secret, person="Sacha Petit", login="sacha@trebes.example")


# -- passkeys -------------------------------------------------------------------------------------


def device(world: World) -> Authenticator:
    return Authenticator(origin=world.context.settings.origin, has_prf=False)


def with_prf_asked(options: dict[str, Any]) -> dict[str, Any]:
    """The software authenticator insists on the vault's extension; a desk asks for none."""
    return {**options, "extensions": {"prf": {}}}


def test_a_passkey_signs_its_member_in_and_no_password_does(world: World) -> None:
    hub, key = world.context, device(world)
    session = hub.enrolment.enrol(wanted(), secret=hub.enrolment.invite())
    member = session.member
    hub.passkeys.finish(member, key.create(with_prf_asked(hub.passkeys.begin(member))), name="pc")
    assert [p.name for p in hub.passkeys.of(member)] == ["pc"]
    answer, _ = key.get(hub.passkeys.begin_sign_in())
    assert hub.passkeys.finish_sign_in(answer).member == member
    for password in ("", "x", PASSWORD):
        with pytest.raises(WrongPasswordError):
            hub.members.sign_in(member.login, password)


def test_an_answer_is_taken_once_in_time_and_from_this_site_only(world: World) -> None:
    hub, key = world.context, device(world)
    member = enrolled(world)
    hub.passkeys.finish(member, key.create(with_prf_asked(hub.passkeys.begin(member))))
    answer, _ = key.get(hub.passkeys.begin_sign_in())
    hub.passkeys.finish_sign_in(answer)
    with pytest.raises(PasskeyRefusedError) as refused:
        hub.passkeys.finish_sign_in(answer)
    assert refused.value.reason == "challenge"
    late, _ = key.get(hub.passkeys.begin_sign_in())
    world.clock.advance(minutes=5)
    with pytest.raises(PasskeyRefusedError):
        hub.passkeys.finish_sign_in(late)
    key.origin = "http://localhost:9999"
    foreign, _ = key.get(hub.passkeys.begin_sign_in())
    with pytest.raises(PasskeyRefusedError) as refused:
        hub.passkeys.finish_sign_in(foreign)
    assert refused.value.reason == "signature"


def test_a_counter_that_goes_back_and_a_missing_verification_are_refused(world: World) -> None:
    hub, key = world.context, device(world)
    member = enrolled(world)
    hub.passkeys.finish(member, key.create(with_prf_asked(hub.passkeys.begin(member))))
    hub.passkeys.finish_sign_in(key.get(hub.passkeys.begin_sign_in())[0])
    next(iter(key.keys.values())).count = 0
    with pytest.raises(PasskeyRefusedError) as refused:
        hub.passkeys.finish_sign_in(key.get(hub.passkeys.begin_sign_in())[0])
    assert refused.value.reason == "copied"
    with pytest.raises(PasskeyRefusedError):
        hub.passkeys.finish_sign_in(key.get(hub.passkeys.begin_sign_in(), verified=False)[0])


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"rawId": 3},
        {"rawId": "é"},
        {"rawId": "AAAA", "response": []},
        {"rawId": "A" * 5000},
        {"rawId": "AAAA", "response": {"clientDataJSON": "e30"}},
    ],
)
def test_a_hostile_answer_is_a_typed_refusal(world: World, answer: dict[str, Any]) -> None:
    with pytest.raises(PasskeyRefusedError):
        world.context.passkeys.finish_sign_in(answer)


def test_the_last_way_in_stays_and_one_removes_ones_own_only(world: World) -> None:
    hub, key = world.context, device(world)
    session = hub.enrolment.enrol(wanted(), secret=hub.enrolment.invite())
    member = session.member
    hub.passkeys.finish(member, key.create(with_prf_asked(hub.passkeys.begin(member))))
    held = hub.passkeys.of(member)[0]
    with pytest.raises(LastWayInError):
        hub.passkeys.remove(member, held.id)
    stranger = hub.members.add("x@agglo.example", PASSWORD, funder="agglo")
    with pytest.raises(PasskeyRefusedError):
        hub.passkeys.remove(stranger, held.id)
    hub.members.set_password(member, PASSWORD)
    hub.passkeys.remove(member, held.id)
    assert hub.passkeys.of(member) == ()
    assert hub.members.sign_in(member.login, PASSWORD).member == member


# -- keys and aids --------------------------------------------------------------------------------


def test_a_document_key_is_published_signed_by_its_funder_and_versioned(world: World) -> None:
    hub = world.context
    member = enrolled(world)
    funder = hub.publishing.funder("mairie-de-trebes")
    assert funder is not None
    hub.publishing.accredit_funder(funder)
    first = point()
    made = hub.document_keys.publish(member, first)
    assert (made.version, hub.document_keys.publish(member, point()).version) == (1, 2)
    with pytest.raises(EntryRefusedError):
        hub.document_keys.publish(member, first)
    snapshot = hub.registry.current()
    claims = verify_jws(
        hub.document_keys.signed(funder),
        lambda header: snapshot.key(str(header["kid"]), world.clock()),
        typ=KEY_TYP,
    ).claims
    assert (claims["iss"], claims["version"]) == (funder.did, 2)
    assert BoxPublicKey.decode(b64url_decode(claims["key"])).raw != first


@pytest.mark.parametrize(
    "public",
    [b"", b"\x04" * 65, b"\x00" * 65, b"\x04" + b"\x51" * 64, bytes(32), b"\x02" + bytes(32)],
)
def test_a_key_that_is_no_point_of_the_curve_is_refused(world: World, public: bytes) -> None:
    with pytest.raises(EntryRefusedError):
        world.context.document_keys.publish(enrolled(world), public)


FIGURES: dict[AidTemplate, dict[str, int]] = {
    AidTemplate.FMD_PUBLIC: {},
    AidTemplate.FMD_PRIVATE: {"per_day": 250, "minimum_days": 20, "ceiling": 600_00},
    AidTemplate.PASS_PUBLIC: {},
    AidTemplate.PASS_PRIVATE: {"share": 50, "ceiling": 80_00},
    AidTemplate.EBIKE: {"share": 30, "ceiling": 400_00},
    AidTemplate.PURCHASE: {
        "share": 30,
        "ceiling": 200_00,
        "modest_ceiling": 400_00,
        "modest_income": 15_400_00,
    },
    AidTemplate.CONVERSION: {"share": 40, "ceiling": 1_500_00},
    AidTemplate.DEROGATION: {"months": 12, "zone": "any", "zone_name": "ZFE"},
}


BY_A_PERSON = (AidTemplate.PURCHASE, AidTemplate.CONVERSION, AidTemplate.DEROGATION)


@pytest.mark.parametrize("template", list(AidTemplate))
def test_each_template_publishes_an_aid_that_computes_its_examples(
    world: World, template: AidTemplate
) -> None:
    hub = world.context
    is_town = template is AidTemplate.DEROGATION  # an employer opens no zone
    member = enrolled(world, **({"level": FunderLevel.COMMUNE} if is_town else {}))
    aid = hub.aids.publish(member, template, Choices(**FIGURES[template], decision_days=45))
    by_rule = hub.aids.may_accept(member, template)
    assert by_rule is (template not in BY_A_PERSON)
    assert aid.check_mode is (CheckMode.AUTOMATIC if by_rule else CheckMode.MANUAL)
    assert aid.is_open(world.clock().date())
    assert aid.decision_time_days == 45
    found = hub.publishing.catalogue().aid(aid.slug)
    assert len(found.examples) >= (2 if is_town else 3)
    entry = hub.registry.entry(found.funder)
    assert entry is not None and entry.name == "Mairie de Trèbes"
    assert aid.remedies["fr"] and aid.silence_means["fr"]
    assert hub.aids.of(member) == (found,)


def test_an_aid_needs_the_present_agreement_and_a_way_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = world.context
    begun = hub.enrolment.enrol(wanted(), secret=hub.enrolment.invite()).member
    with pytest.raises(LastWayInError):
        hub.aids.publish(begun, AidTemplate.FMD_PUBLIC, Choices())
    hub.members.set_password(begun, PASSWORD)
    newer = dataclasses.replace(current_agreement(), version="2027-01", digest="sha256:" + "1" * 64)
    monkeypatch.setattr("federation.hub.enrolment.current_agreement", lambda: newer)
    with pytest.raises(AgreementMissingError):
        hub.aids.publish(begun, AidTemplate.FMD_PUBLIC, Choices())
    with pytest.raises(EntryRefusedError):
        hub.enrolment.accept(begun, current_agreement().digest)
    hub.enrolment.accept(begun, newer.digest)
    hub.enrolment.accept(begun, newer.digest)
    assert {a.version for a in hub.enrolment.accepted(begun)} == {"2026-11", "2027-01"}
    hub.aids.publish(begun, AidTemplate.FMD_PUBLIC, Choices())


@pytest.mark.parametrize(
    ("choices", "where"),
    [
        (lambda: Choices(), "per_day"),
        (lambda: Choices(per_day=0, minimum_days=1, ceiling=100_00), "per_day"),
        (lambda: Choices(per_day=250, minimum_days=0, ceiling=100_00), "minimum_days"),
        (lambda: Choices(per_day=250, minimum_days=1, ceiling=10**9), "ceiling"),
        (lambda: Choices(per_day=250, minimum_days=1, ceiling=100_00, share=50), "share"),
        (lambda: Choices(per_day=250, minimum_days=1, ceiling=100_00, decision_days=0),
         "decision_days"),
        (lambda: Choices(per_day=250, minimum_days=1, ceiling=100_00, budget=1), "budget"),
        (lambda: Choices(per_day=250, minimum_days=1, ceiling=100_00, cool_down=241), "cool_down"),
        (lambda: Choices(per_day=250, minimum_days=1, ceiling=100_00, title="x" * 121), "title"),
        (lambda: Choices(per_day=250, minimum_days=1, ceiling=100_00, documents=("RIB",) * 6),
         "documents"),
    ],
)  # fmt: skip
def test_a_figure_out_of_bounds_is_refused_by_its_field(
    world: World, choices: Callable[[], Choices], where: str
) -> None:
    with pytest.raises(EntryRefusedError) as refused:
        world.context.aids.publish(enrolled(world), AidTemplate.FMD_PRIVATE, choices())
    assert refused.value.where == where


def test_a_cool_down_is_of_the_aid_and_only_where_somebody_is_known_again(world: World) -> None:
    hub = world.context
    begun, figures = enrolled(world), Choices(share=30, ceiling=400_00, cool_down=60)
    aid = hub.aids.publish(begun, AidTemplate.EBIKE, figures)
    assert aid.family and aid.extra["coolDownMonths"] == 60
    with pytest.raises(EntryRefusedError) as refused:
        hub.aids.publish(begun, AidTemplate.CONVERSION, figures)
    assert refused.value.where == "cool_down"


def test_a_word_of_no_prior_aid_is_asked_for_only_where_somebody_is_known_again(
    world: World,
) -> None:
    hub = world.context
    begun, figures = enrolled(world), Choices(share=30, ceiling=400_00, no_prior=True)
    aid = hub.aids.publish(begun, AidTemplate.EBIKE, figures)
    assert aid.credentials_required[-1] == "NoPriorAidCredential"
    plain = hub.aids.publish(begun, AidTemplate.EBIKE, Choices(share=30, ceiling=400_00))
    assert "NoPriorAidCredential" not in plain.credentials_required
    with pytest.raises(EntryRefusedError) as refused:
        hub.aids.publish(begun, AidTemplate.CONVERSION, figures)
    assert refused.value.where == "no_prior"


def test_an_aid_of_an_employer_is_for_employers_and_without_affiliation_a_person_decides(
    world: World,
) -> None:
    hub = world.context
    town = enrolled(world, level=FunderLevel.COMMUNE)
    with pytest.raises(EntryRefusedError):
        hub.aids.publish(town, AidTemplate.FMD_PUBLIC, Choices())
    aid = hub.aids.publish(town, AidTemplate.EBIKE, Choices(share=30, ceiling=400_00))
    assert aid.check_mode is CheckMode.MANUAL


def test_a_suspended_aid_takes_nobody_and_is_its_funders_to_resume(world: World) -> None:
    hub = world.context
    member = enrolled(world)
    aid = hub.aids.publish(member, AidTemplate.FMD_PUBLIC, Choices())
    assert hub.aids.suspend(member, aid.slug, suspended=True).status is AidStatus.SUSPENDED
    assert not hub.publishing.catalogue().aid(aid.slug).is_open(world.clock().date())
    stranger = hub.members.add(
        "x@agglo.example", PASSWORD, roles=frozenset((Caller.EDITOR,)), funder="agglo"
    )
    with pytest.raises(ApplicationUnknownError):
        hub.aids.suspend(stranger, aid.slug, suspended=False)
    hub.aids.suspend(member, aid.slug, suspended=False)
    assert hub.publishing.catalogue().aid(aid.slug).is_open(world.clock().date())
