"""Notices at the desk, mail as each one chooses, and affiliation by a link in a mail."""

import re
import smtplib
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from federation.hub.affiliation_links import LINK
from federation.hub.aid_templates import AidTemplate
from federation.hub.errors import (
    EntryRefusedError,
    HubSettingsError,
    InvitationRefusedError,
    NoMailError,
)
from federation.hub.mail import TEXTS, compose
from federation.hub.members import Member
from federation.hub.model import EmployeeState, NoticeKind
from federation.hub.settings import HubSettings
from federation.openid4vci import IssuanceError, TokenRequest
from federation.wire.errors import MailUnreachableError
from federation.wire.jobs import JobState
from federation.wire.mail import Mail, MailSecurity, SmtpMailer, is_address
from tests.hub_world import Wallet, World, build_world
from tests.unit.hub.test_affiliations import FMD
from tests.unit.hub.test_decisions import apply, officer, proof
from tests.unit.hub.test_enrolment import enrolled


class Post(socketserver.ThreadingTCPServer):
    """A mail server on loopback: what it took, and what it refuses."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.is_away = False
        self.refused = ""
        super().__init__(("127.0.0.1", 0), _Talk)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "mail_host": "127.0.0.1",
            "mail_port": self.server_address[1],
            "mail_security": MailSecurity.NONE,
            "mail_from": "guichet@hub.example",
        }

    def empty(self) -> list[EmailMessage]:
        found, self.taken = self.taken, []
        return found


class _Talk(socketserver.StreamRequestHandler):
    """The few verbs of SMTP that a client speaks (RFC 5321)."""

    server: Post

    def handle(self) -> None:
        if self.server.is_away:
            self.say(421, "not now")
            return
        self.say(220, "ready")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT" and self.server.refused and self.server.refused in line:
                self.say(550, "no such address")
            elif verb == "DATA":
                self.say(354, "go on")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += self.rfile.readline()
                message = message_from_bytes(data[:-5], policy=policy.default)
                assert isinstance(message, EmailMessage)
                self.server.taken.append(message)
                self.say(250, "taken")
            elif verb == "QUIT":
                self.say(221, "bye")
                return
            else:
                self.say(250, "ok")

    def say(self, code: int, text: str) -> None:
        self.wfile.write(f"{code} {text}\r\n".encode())


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    server = Post()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def world(tmp_path: Path, post: Post) -> Iterator[World]:
    post.is_away, post.refused = False, ""
    post.empty()
    made = build_world(tmp_path, settings=post.settings)
    yield made
    made.context.close()


def run(world: World) -> None:
    world.context.runner().run_due(limit=1_000)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body()
    assert body is not None
    return str(body.get_content())


def wants(world: World, member: Member, mail: str = "each", language: str = "fr") -> None:
    world.context.notices.choose(member, mail=mail, address=member.login, language=language)


def test_an_application_that_waits_for_a_person_is_told_by_mail_without_naming_anyone(
    world: World, post: Post
) -> None:
    member = officer(world)
    wants(world, member)
    citizen, application = apply(world, 12)
    run(world)
    (mail,) = post.empty()
    text, short = text_of(mail), application.rpartition(":")[2]
    assert mail["To"] == member.login and mail["From"] == "guichet@hub.example"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == f"Une demande à examiner ({short[:8]})"
    assert f"http://localhost:8401/guichet/demandes/{short}" in text
    for private in (citizen.number, citizen.did, "187", "UsageProof", "12 jours"):
        assert private not in text + str(mail)
    assert world.context.notices.unread(member) == 1
    run(world)
    assert post.empty() == []


def test_what_the_rule_accepts_waits_for_nobody(world: World, post: Post) -> None:
    member = officer(world)
    wants(world, member)
    apply(world, 41)
    run(world)
    assert (post.empty(), world.context.notices.unread(member)) == ([], 0)


def test_an_answer_and_an_appeal_are_told_to_who_took_the_application(
    world: World, post: Post
) -> None:
    member = officer(world)
    colleague = world.context.members.add(
        "c@agglo.example", "un mot de passe long", name="Camille", funder="agglo"
    )
    for person, language in ((member, "en"), (colleague, "fr")):
        wants(world, person, language=language)
    citizen, application = apply(world, 12)
    run(world)
    assert {mail["To"] for mail in post.empty()} == {member.login, colleague.login}
    desk = world.context.desk
    desk.assign(member, application, to_self=True)
    desk.request_information(member, application, message="Quel mois ?")
    world.context.applications.answer(
        application, proof_jwt=proof(world, citizen, application), text="Janvier"
    )
    desk.decide(member, application, accept=False, reason="Trop peu de jours.")
    world.context.applications.appeal(
        application, proof_jwt=proof(world, citizen, application), reason="Voyez mars."
    )
    run(world)
    mails = post.empty()
    assert [mail["To"] for mail in mails] == [member.login] * 2
    assert {mail["Subject"].split(" (")[0] for mail in mails} == {
        "An answer arrived",
        "A refusal is contested",
    }
    assert all("Voyez mars" not in text_of(mail) for mail in mails)


def test_a_notice_that_was_read_sends_nothing_and_nobody_else_reads_it(
    world: World, post: Post
) -> None:
    member = officer(world)
    wants(world, member)
    apply(world, 12)
    _, second = apply(world, 13)
    notices = world.context.notices
    world.context.publishing.add_funder("autre", "Autre commune")
    stranger = world.context.members.add(
        "x@autre.example", "un mot de passe long", name="X", funder="autre"
    )
    notices.read(stranger)
    assert (notices.unread(member), notices.unread(stranger)) == (2, 0)
    assert notices.shown(stranger) == ()
    notices.read(member, application=second)
    run(world)
    assert len(post.empty()) == 1
    assert [n.notice.read_at is None for n in notices.shown(member)] == [True, False]


def test_the_digest_is_one_mail_a_morning_while_something_is_unread(
    world: World, post: Post
) -> None:
    member = officer(world)  # without a choice: daily, to a login that is an address
    world.clock.at = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)  # 5.30 in Paris
    run(world)
    apply(world, 12)
    apply(world, 13)
    run(world)
    assert post.empty() == []
    for _ in range(6):
        world.clock.advance(hours=1)
        run(world)
    (mail,) = post.empty()
    assert mail["To"] == member.login and "2 avis" in mail["Subject"]
    world.clock.advance(hours=24)
    run(world)
    assert len(post.empty()) == 1
    world.context.notices.read(member)
    world.clock.advance(hours=24)
    run(world)
    assert post.empty() == []


def test_a_mail_server_that_is_away_delays_nobody(world: World, post: Post) -> None:
    member = officer(world)
    wants(world, member)
    post.is_away = True
    _, application = apply(world, 12)
    run(world)
    world.context.desk.decide(member, application, accept=True, reason="Oui.", amount_cents=100)
    for _ in range(20):
        world.clock.advance(hours=1)
        run(world)
    post.is_away = False
    world.clock.advance(hours=2)
    run(world)
    assert [mail["To"] for mail in post.empty()] == [member.login]


def test_an_address_refused_for_good_is_put_aside(world: World, post: Post) -> None:
    member = officer(world)
    wants(world, member)
    post.refused = member.login
    apply(world, 12)
    run(world)
    (job,) = world.context.store.outbox.dead()
    assert job.error_code == "mail-refused"
    assert b"@" not in job.payload and "@" not in job.key


def test_nobody_is_written_to_who_chose_so_or_was_sent_away(world: World, post: Post) -> None:
    member = officer(world)
    wants(world, member, mail="never")
    gone = world.context.members.add(
        "g@agglo.example", "un mot de passe long", name="G", funder="agglo"
    )
    wants(world, gone)
    world.context.members.disable(gone.id)
    apply(world, 12)
    run(world)
    assert post.empty() == []
    assert world.context.notices.unread(member) == 1
    for bad in (
        {"mail": "often", "address": "a@b.fr", "language": "fr"},
        {"mail": "each", "address": "nowhere", "language": "fr"},
        {"mail": "each", "address": "a@b.fr\nBcc: c@d.fr", "language": "fr"},
        {"mail": "each", "address": "a@b.fr", "language": "de"},
    ):
        with pytest.raises(EntryRefusedError):
            world.context.notices.choose(member, **bad)


def test_a_title_with_line_breaks_is_no_header_and_no_second_line() -> None:
    values = {"reference": "ab\r\nBcc: x@y.fr", "aid": "Vélo\n\nCliquez ici", "link": "http://h/"}
    mail = compose(
        "new", "fr", to="a@b.fr", key="k", values=values, foot={"hub": "H\n", "settings": "s"}
    )
    assert "\n" not in mail.subject and "\r" not in mail.subject
    assert "Aide : Vélo Cliquez ici\n" in mail.text
    with pytest.raises(KeyError):
        compose("new", "fr", to="a@b.fr", key="k", values={}, foot={})


def test_every_text_has_both_languages_and_the_same_places_to_fill() -> None:
    assert {kind.value for kind in NoticeKind} <= set(TEXTS)
    for kind, texts in TEXTS.items():
        assert set(texts) == {"fr", "en"}, kind
        places = [set(re.findall(r"\{(\w+)\}", " ".join(pair))) for pair in texts.values()]
        assert places[0] == places[1], kind


def test_an_address_is_a_plain_one() -> None:
    assert all(map(is_address, ("a@b.fr", "dominique.sabatier+guichet@agglo-cabardes.example")))
    for bad in ("", "a", "a@b", "a@b.f", "a b@c.fr", "a@b.fr, c@d.fr", "<a@b.fr>", '"a"@b.fr'):
        assert not is_address(bad)


@pytest.mark.parametrize(
    "changes",
    [
        {"mail_host": "smtp.example"},
        {"mail_from": "a@b.fr"},
        {"mail_host": "smtp.example", "mail_from": "a@b.fr", "mail_user": "u"},
        {
            "mail_host": "smtp.example",
            "mail_from": "a@b.fr",
            "mail_password": SecretStr("p"),
        },
        {"mail_host": "smtp.example", "mail_from": "a@b.fr", "mail_security": "none"},
        {"timestamp_url": "https://tsa.example"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(HubSettingsError):
        HubSettings(allow_loopback=True, **changes)


def test_mail_is_not_sent_in_clear_to_a_server_without_tls(post: Post) -> None:
    asked = {**post.settings, "mail_security": MailSecurity.STARTTLS}
    server = HubSettings(allow_loopback=True, **asked).mail_server
    assert server is not None
    mailer = SmtpMailer(server)
    with pytest.raises(MailUnreachableError) as refused:
        mailer.send(Mail("a@b.fr", "s", "t", "k"), at=datetime.now(UTC))
    assert refused.value.reason == smtplib.SMTPNotSupportedError.__name__
    assert post.empty() == []


# -- affiliation by a link ------------------------------------------------------------------------

SLUG = "mairie-de-trebes"
STAFF = "matricule;courriel\nA-1;une@trebes.example\nA-2;deux@trebes.example\nA-3;\n"


def employer(world: World) -> Member:
    member = enrolled(world)
    world.context.aids.publish(member, AidTemplate.FMD_PRIVATE, FMD)
    return member


def links_of(post: Post) -> dict[str, str]:
    """Token by address."""
    found = {}
    for mail in post.empty():
        tokens = set(re.findall(r"http://localhost:8401/affiliation/(\S+)", text_of(mail)))
        assert len(tokens) == 1
        found[mail["To"]] = tokens.pop()
    return found


@pytest.fixture
def staffed(world: World) -> tuple[World, Member]:
    member = employer(world)
    world.context.affiliations.import_list(member, STAFF, status="agent-titulaire-public")
    return world, member


def test_a_link_gives_its_person_an_affiliation_once(
    staffed: tuple[World, Member], post: Post
) -> None:
    world, member = staffed
    links = world.context.links
    assert links.waiting(member) == 2
    assert links.send(member) == 2
    run(world)
    tokens = links_of(post)
    assert set(tokens) == {"une@trebes.example", "deux@trebes.example"}
    opened = links.open(tokens["une@trebes.example"])
    assert links.open(tokens["une@trebes.example"]) == opened  # a filter that looks uses nothing
    wallet = Wallet(world, world.citizen(), SLUG)
    signed = wallet.take("A-1", opened.code)
    assert signed["credentialSubject"]["employeeNumber"] == "A-1"
    with pytest.raises(InvitationRefusedError):
        links.open(tokens["une@trebes.example"])
    other = Wallet(world, world.citizen(), SLUG)
    access = other.token("A-1", opened.code).json()["access_token"]
    assert other.credential(access).status_code == 401
    assert links.waiting(member) == 0


def test_a_colleagues_link_affiliates_nobody_else(
    staffed: tuple[World, Member], post: Post
) -> None:
    """B-06: there, any valid token of the company affiliated any account of it, for ever."""
    world, member = staffed
    affiliations, links = world.context.affiliations, world.context.links
    links.send(member)
    run(world)
    tokens = links_of(post)
    first = links.open(tokens["une@trebes.example"])
    for number in ("A-2", "A-3", ""):
        with pytest.raises(IssuanceError):
            affiliations.token(SLUG, TokenRequest(first.code, number))
    token = tokens["une@trebes.example"]
    for bad in (token[:-2] + "AA", token + "A", "", "é", "A" * 600, token.swapcase()):
        with pytest.raises(InvitationRefusedError):
            links.open(bad)
    nonce = affiliations.nonce(SLUG)  # signed here, for something else
    with pytest.raises(InvitationRefusedError):
        links.open(nonce)
    world.clock.advance(days=30)
    with pytest.raises(InvitationRefusedError):
        links.open(token)
    with pytest.raises(IssuanceError):
        affiliations.token(SLUG, TokenRequest(first.code, "A-1"))


def test_a_second_mail_and_a_departure_end_the_first_link(
    staffed: tuple[World, Member], post: Post
) -> None:
    world, member = staffed
    links, affiliations = world.context.links, world.context.affiliations
    links.send(member)
    run(world)
    before = links_of(post)
    people = {e.number: e for e in affiliations.staff(member).employees}
    affiliations.codes(member, (people["A-1"].id,))  # handed over on paper instead
    with pytest.raises(InvitationRefusedError):
        links.open(before["une@trebes.example"])
    affiliations.leave(member, people["A-2"].id)
    with pytest.raises(InvitationRefusedError):
        links.open(before["deux@trebes.example"])


def test_a_link_that_could_not_be_sent_comes_with_another_code_and_no_job_holds_it(
    staffed: tuple[World, Member], post: Post
) -> None:
    world, member = staffed
    post.is_away = True
    world.context.links.send(member)
    world.context.links.send(member)  # pressed twice
    run(world)
    jobs = world.context.store.outbox.of_owner("", kind=LINK)
    assert len(jobs) == 2 and {job.state for job in jobs} == {JobState.WAITING}
    assert not any(job.payload or "@" in job.key for job in jobs)
    post.is_away = False
    world.clock.advance(hours=2)
    run(world)
    tokens = links_of(post)
    assert len(tokens) == 2
    assert all(world.context.links.open(token).code for token in tokens.values())
    states = {e.number: e.state(world.clock()) for e in
              world.context.affiliations.staff(member).employees}  # fmt: skip
    assert states["A-3"] is EmployeeState.LISTED, "no address, no link"


def test_without_a_mail_server_nothing_is_sent_and_the_desk_says_so(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    member = employer(world)
    with pytest.raises(NoMailError):
        world.context.links.send(member)
    assert not world.context.links.is_possible and not world.context.notices.has_mail
    world.context.close()
