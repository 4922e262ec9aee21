"""A funder checks by sample: the citizen sees it, opens coarse claims or declines; what was deleted
is withdrawn, not fraud."""

import json

import pytest

from federation.errors import HubRefusedError
from federation.hub.errors import ApplicationUnknownError, AuditRefusedError
from schemas.ids import Did, Iri, mint_iri
from schemas.records import Consent, Kind
from tests.integration.vault.test_sharing import PERIOD, Story, story
from vault.errors import ShareRefusedError

__all__ = ["story"]


def apply(story: Story) -> Iri:
    story.affiliate()
    vault, application = story.citizen.vault, mint_iri()
    disclosure = vault.prepare_application(story.aid, application, period=PERIOD)
    vault.share(disclosure.id, confirmed_at=story.home.clock())
    story.home.runner().run_due()
    vault.refresh_application(application)
    return application


def ask(story: Story, application: Iri, leaves: int = 3, funder: Did | None = None) -> None:
    story.world.context.audits.ask(
        application, funder=funder or story.aid.funder, officer="Dominique", leaves=leaves
    )


def test_what_is_opened_is_coarse_and_the_hub_checks_it(story: Story) -> None:
    vault, application = story.citizen.vault, apply(story)
    assert vault.audit_request(application) is None
    ask(story, application)
    asked = vault.audit_request(application)
    assert asked is not None and len(asked.leaves) == 3
    view = vault.answer_audit(application, accepted=True, confirmed_at=story.home.clock())
    assert view.audit is not None and view.audit.state == "verified"
    assert [check.outcome for check in view.audit.checks] == ["pass"] * 3
    assert all(check.words["fr"] for check in view.audit.checks)
    told = json.dumps([leaf.to_json() for leaf in asked.leaves])
    assert "T06" not in told and "43.2" not in told and "2.3" not in told
    assert vault.audit_request(application) is None, "answered once"
    consents = [c for c in vault.all(Kind.CONSENT) if isinstance(c, Consent)]
    assert {"AuditedTrip.month", "AuditedTrip.mode"} <= set(consents[-1].claims) | set(
        consents[0].claims
    )
    assert any(entry.event == "audit-answered" for entry in vault.journal().events)


def test_deleted_evidence_is_withdrawn_and_not_fraud(story: Story) -> None:
    vault, application = story.citizen.vault, apply(story)
    for trip in vault.trips(*PERIOD):
        vault.delete(trip.id)
    ask(story, application)
    view = vault.answer_audit(application, accepted=True, confirmed_at=story.home.clock())
    assert view.audit is not None and view.audit.state == "withdrawn"
    assert {check.code for check in view.audit.checks} == {"audit-withdrawn"}


def test_the_citizen_may_decline_and_nothing_is_opened(story: Story) -> None:
    vault, application = story.citizen.vault, apply(story)
    before = len(list(vault.all(Kind.CONSENT)))
    ask(story, application)
    view = vault.answer_audit(application, accepted=False, confirmed_at=story.home.clock())
    assert view.audit is not None and view.audit.state == "declined"
    assert len(list(vault.all(Kind.CONSENT))) == before
    with pytest.raises(ShareRefusedError):
        vault.answer_audit(application, accepted=True, confirmed_at=story.home.clock())


def test_only_the_entitled_funder_asks_and_once(story: Story) -> None:
    application = apply(story)
    with pytest.raises(ApplicationUnknownError):
        ask(story, application, funder=Did("did:web:another.example"))
    for leaves in (0, 21):
        with pytest.raises(AuditRefusedError):
            ask(story, application, leaves=leaves)
    ask(story, application)
    with pytest.raises(AuditRefusedError) as caught:
        ask(story, application)
    assert caught.value.reason == "asked-before"


def test_an_answer_nobody_asked_for_or_for_another_application_is_refused(story: Story) -> None:
    from vault.sharing import holder_proof, hub_of

    vault, application = story.citizen.vault, apply(story)
    record = vault.get(application)
    hub = hub_of(vault)

    def send(answer: str) -> HubRefusedError:
        with pytest.raises(HubRefusedError) as caught:
            hub.answer_audit(
                application,
                proof_jwt=holder_proof(vault, record),  # type: ignore[arg-type]  # it is one
                answer=answer,
            )
        return caught.value

    assert send("x").hub_code == "audit-refused"
    ask(story, application)
    assert send("x.y.z").hub_code == "audit-invalid"
    view = vault.answer_audit(application, accepted=True, confirmed_at=story.home.clock())
    assert view.audit is not None and view.audit.state == "verified"
