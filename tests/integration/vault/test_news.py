"""News of applications: asked for at unlock, heard of while locked, mailed to who wants it."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from federation.aids.model import CheckMode
from federation.errors import HubRefusedError, HubUnreachableError
from federation.hub.holder_proof import WATCH_LIFE, sign_status_proof, sign_watch_proof
from federation.hub.local import LocalHub
from federation.hub.members import Member
from federation.wire.mail import MailSecurity, MailServer
from schemas.ids import Did, Iri, mint_iri
from schemas.records import Application, ApplicationState, Kind
from tests.hub_world import build_world
from tests.integration.vault.test_sharing import PERIOD, Story, told
from tests.unit.hub.test_decisions import officer
from tests.unit.hub.test_notices import Post, text_of
from vault import news, notices
from vault.delivery import open_job
from vault.errors import NoticeRefusedError
from vault.sharing import withdraw_application

ADDRESS = "camille@courriel.example"


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    server = Post()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def story(tmp_path: Path, post: Post) -> Iterator[Story]:
    post.is_away, post.refused = False, ""
    post.empty()
    world = build_world(tmp_path / "hub")
    found = world.context.publishing.aid(world.aid)
    world.context.publishing.add_aids(dataclasses.replace(found, check_mode=CheckMode.MANUAL))
    mail = MailServer(
        "127.0.0.1",
        "coffre@home.example",
        "did:web:home.example",
        port=post.server_address[1],
        security=MailSecurity.NONE,
    )
    with told(world, tmp_path / "home", mail=mail, public_url="https://home.example") as made:
        yield made


@pytest.fixture
def desk(story: Story) -> Member:
    return officer(story.world)


def applied(story: Story) -> Iri:
    """An application that waits for a person, delivered and seen by the citizen."""
    story.affiliate()
    vault, application = story.citizen.vault, mint_iri()
    disclosure = vault.prepare_application(story.aid, application, period=PERIOD)
    vault.share(disclosure.id, confirmed_at=story.home.clock())
    story.home.runner().run_due()
    vault.refresh_application(application)
    news.look(vault, record(story, application))
    assert news.watch(vault) == 1
    assert news.fresh(vault) == []
    return application


def record(story: Story, application: Iri) -> Application:
    found = story.citizen.vault.get(application)
    assert isinstance(found, Application)
    return found


def wait(story: Story, **by: float) -> None:
    story.world.clock.advance(**by)
    story.home.runner().run_due()


def lock(story: Story) -> None:
    story.home.lock_all(story.citizen.vault_id)


def unlock(story: Story) -> None:
    story.citizen.cookie = story.citizen.unlock()


def test_a_decision_is_news_at_the_next_opening_and_none_once_looked_at(
    story: Story, desk: Member
) -> None:
    application = applied(story)
    lock(story)
    story.world.context.desk.decide(desk, application, accept=True, reason="Oui.", amount_cents=900)
    unlock(story)
    vault = story.citizen.vault
    assert news.is_due(vault)
    assert news.ask(vault) == 1
    assert not news.is_due(vault)
    (found,) = news.fresh(vault)
    assert found.step is not None and found.step.state is ApplicationState.ACCEPTED
    assert found.application.amount == 900
    assert news.ask(vault) == 0, "asked again, nothing else moved"
    assert len(news.fresh(vault)) == 1, "asking is not looking"
    news.look(vault, found.application)
    assert news.fresh(vault) == []
    assert story.home.fsck(vault.vault_id, vault).clean


class Slow:
    """A hub whose first answer comes after what happened meanwhile."""

    def __init__(self, hub: Any, meanwhile: Callable[[], object]) -> None:
        self._hub, self._meanwhile = hub, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def application(self, *args: Any, **options: Any) -> Any:
        view = self._hub.application(*args, **options)
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        return view


def test_two_who_ask_the_hub_at_once_are_in_nobodys_way_and_the_later_answer_stays(
    story: Story, desk: Member
) -> None:
    application = applied(story)
    vault = story.citizen.vault
    story.world.context.desk.request_information(desk, application, message="Quel mois ?")

    def asked_elsewhere() -> None:
        """The page of the application, while the news are asked for."""
        story.world.context.desk.decide(
            desk, application, accept=True, reason="Oui.", amount_cents=900
        )
        vault.refresh_application(application)
        news.look(vault, record(story, application))

    slow: Any = Slow(story.home.hub, asked_elsewhere)
    story.home.use_hub(slow)
    vault.refresh_application(application)
    kept = record(story, application)
    assert kept.state is ApplicationState.ACCEPTED and kept.amount == 900
    assert [step.state for step in kept.history][-1] is ApplicationState.ACCEPTED
    assert news.fresh(vault) == [], "what was looked at stays looked at"
    vault.refresh_application(application)
    awards = [a for a in vault.all(Kind.AWARD) if getattr(a, "application", "") == application]
    assert len(awards) == 1, "one award, whoever asked"


def test_threads_that_ask_at_once_all_get_an_answer(story: Story, desk: Member) -> None:
    application = applied(story)
    vault = story.citizen.vault
    story.world.context.desk.decide(desk, application, accept=True, reason="Oui.", amount_cents=900)
    gate = threading.Barrier(6)

    def ask() -> ApplicationState:
        gate.wait(timeout=30)
        found = vault.refresh_application(application)
        assert isinstance(found, Application)
        return found.state

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask) for _ in range(6)]
    assert {one.result() for one in asked} == {ApplicationState.ACCEPTED}
    assert len(list(vault.all(Kind.AWARD))) == 1
    assert story.home.fsck(vault.vault_id, vault).clean


def test_what_the_citizen_did_is_no_news_to_them(story: Story) -> None:
    application = applied(story)
    vault, kept = story.citizen.vault, record(story, application)
    extra = {name: value for name, value in kept.extra.items() if name != "seenSteps"}
    vault.put(dataclasses.replace(kept, extra=extra))
    assert news.fresh(vault) == [], "nor what was kept before steps were counted"
    withdraw_application(story.citizen.vault, application)
    assert record(story, application).state is ApplicationState.WITHDRAWN
    assert news.fresh(story.citizen.vault) == []
    assert news.watch(story.citizen.vault) == 0, "nothing can move any more"
    assert story.home.outbox.of_owner(story.citizen.vault_id, kind=news.JOB) == ()


def test_a_check_by_sample_that_was_asked_for_is_news_until_it_is_answered(
    story: Story, desk: Member
) -> None:
    application = applied(story)
    story.world.context.desk.audit(desk, application, leaves=2)
    vault = story.citizen.vault
    news.ask(vault)
    (found,) = news.fresh(vault)
    assert (found.application.id, found.step) == (application, None)
    vault.answer_audit(application, accepted=False, confirmed_at=story.home.clock())
    vault.refresh_application(application)
    assert news.fresh(vault) == []


def test_locked_the_home_hears_that_there_is_news_and_not_which(
    story: Story, desk: Member, post: Post
) -> None:
    application = applied(story)
    notices.choose(story.citizen.vault, address=ADDRESS, language="fr")
    lock(story)
    wait(story, hours=8)
    assert post.empty() == [], "nothing moved"
    story.world.context.desk.request_information(desk, application, message="Quel mois ?")
    wait(story, hours=8)
    story.home.runner().run_due()
    (mail,) = post.empty()
    text = text_of(mail)
    assert mail["To"] == ADDRESS and mail["Subject"] == "Du nouveau dans votre coffre"
    assert "https://home.example/coffre/avis" in text
    for private in ("Quel mois", application.rpartition(":")[2][:8], "Agglo", "information"):
        assert private not in text + str(mail)
    wait(story, hours=8)
    assert post.empty() == [], "the same news once"
    story.world.context.desk.decide(desk, application, accept=False, reason="Sans réponse.")
    wait(story, hours=24)
    story.home.runner().run_due()
    assert len(post.empty()) == 1
    unlock(story)
    vault = story.citizen.vault
    assert [e.event for e in vault.journal().events].count("news-waiting") == 2
    news.ask(vault)
    (found,) = news.fresh(vault)
    assert found.step is not None and found.step.reason == "Sans réponse."


def test_without_a_choice_nothing_is_mailed_and_a_choice_taken_back_ends_what_waits(
    story: Story, desk: Member, post: Post, tmp_path: Path
) -> None:
    application = applied(story)
    lock(story)
    story.world.context.desk.decide(desk, application, accept=True, reason="Oui.", amount_cents=900)
    wait(story, hours=8)
    assert post.empty() == []
    unlock(story)
    vault = story.citizen.vault
    notices.choose(vault, address=ADDRESS, language="en")
    assert notices.chosen(vault).address == ADDRESS
    for _ in range(2):
        notices.tell(story.home, vault.vault_id)
    wait(story, minutes=1)
    (mail,) = post.empty()  # one a day
    assert mail["Subject"] == "News in your vault" and application not in str(mail)
    story.world.clock.advance(days=1)
    notices.tell(story.home, vault.vault_id)
    for job in story.home.outbox.of_owner(vault.vault_id, kind=notices.JOB):
        assert job.payload == b"" and "@" not in job.key
    for file in (tmp_path / "home").rglob("*"):
        assert not file.is_file() or ADDRESS.encode() not in file.read_bytes(), file.name
    unlock(story)
    vault = story.citizen.vault
    notices.choose(vault, address="", language="fr")
    wait(story, minutes=1)
    assert (post.empty(), notices.chosen(vault).address) == ([], "")
    with story.home.store.read() as reader:
        assert reader.setting(vault.vault_id, "notices") is None
    for bad in ("nowhere", "a@b.fr\nBcc: c@d.fr", "a@b.fr, c@d.fr"):
        with pytest.raises(NoticeRefusedError):
            notices.choose(vault, address=bad, language="fr")


def test_a_mail_server_that_is_away_for_an_hour_loses_no_news(
    story: Story, desk: Member, post: Post
) -> None:
    application = applied(story)
    notices.choose(story.citizen.vault, address=ADDRESS, language="fr")
    lock(story)
    post.is_away = True
    story.world.context.desk.decide(desk, application, accept=True, reason="Oui.", amount_cents=900)
    wait(story, hours=8)
    for _ in range(3):
        wait(story, hours=1)
    assert post.empty() == []
    post.is_away = False
    wait(story, hours=2)
    assert [mail["To"] for mail in post.empty()] == [ADDRESS]


class Away(LocalHub):
    """A hub out of reach."""

    def _call(self, act: Any) -> Any:
        raise HubUnreachableError("timeout")


def test_a_hub_that_is_away_stops_nobody_and_is_asked_again_within_hours(
    story: Story, desk: Member, post: Post
) -> None:
    application = applied(story)
    notices.choose(story.citizen.vault, address=ADDRESS, language="fr")
    story.world.context.desk.decide(desk, application, accept=True, reason="Oui.", amount_cents=900)
    story.home.use_hub(Away(story.world.context))
    assert news.ask(story.citizen.vault) == 0
    assert record(story, application).state is ApplicationState.SUBMITTED
    lock(story)
    wait(story, hours=8)
    (job,) = story.home.outbox.of_owner(story.citizen.vault_id, kind=news.JOB)
    assert job.due_at - story.world.clock() <= timedelta(hours=1.3)
    story.home.use_hub(LocalHub(story.world.context))
    wait(story, hours=1.5)
    story.home.runner().run_due()
    assert len(post.empty()) == 1


def test_a_watch_proof_is_worth_a_number_only_of_its_own_application_and_for_two_months(
    story: Story,
) -> None:
    application = applied(story)
    vault, context = story.citizen.vault, story.world.context
    hub, clock = LocalHub(context), story.world.clock
    key, audience = vault.holder_key(story.aid.funder), context.settings.did
    watch = sign_watch_proof(application, holder=key, audience=audience, at=clock())
    assert [hub.steps(application, watch_jwt=watch) for _ in range(3)] == [1, 1, 1]
    status = sign_status_proof(application, holder=key, audience=audience, at=clock())
    other = vault.holder_key(Did("did:web:autre.example"))
    stranger = sign_watch_proof(application, holder=other, audience=audience, at=clock())
    elsewhere = sign_watch_proof(application, holder=key, audience=Did("did:web:x"), at=clock())
    for bad in (status, stranger, elsewhere, watch[:-4] + "AAAA", ""):
        with pytest.raises(HubRefusedError):
            hub.steps(application, watch_jwt=bad)
    with pytest.raises(HubRefusedError):
        hub.steps(mint_iri(), watch_jwt=watch)
    for act in (hub.application, hub.withdraw, hub.evidence):
        with pytest.raises(HubRefusedError):
            act(application, proof_jwt=watch)
    (job,) = story.home.outbox.of_owner(vault.vault_id, kind=news.JOB)
    assert application.encode() not in job.payload, "sealed under the home's key"
    assert open_job(story.home, job)["watched"][0]["application"] == application
    clock.advance(days=WATCH_LIFE.days + 1)
    with pytest.raises(HubRefusedError):
        hub.steps(application, watch_jwt=watch)
    lock(story)
    wait(story, days=1)
    (job,) = story.home.outbox.of_owner(vault.vault_id, kind=news.JOB)
    assert job.state.value == "done", "nobody is asked about it any more"
