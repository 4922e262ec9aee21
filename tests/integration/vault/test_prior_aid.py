"""A funder wants to know that nobody holds the citizen's nullifier: the vault asks the hub."""

import dataclasses

import pytest

from federation.aids.national import FMD_FAMILY
from federation.errors import HubRefusedError
from federation.hub.model import Hold
from schemas.ids import mint_iri
from schemas.records import Application, ApplicationState
from tests.integration.vault.test_sharing import PERIOD, Story, story
from vault.errors import ShareRefusedError

__all__ = ["story"]


@pytest.fixture
def wanting(story: Story) -> Story:
    """The same, with an aid that wants it."""
    wanted = (*story.aid.credentials_required, "NoPriorAidCredential")
    aid = dataclasses.replace(story.aid, credentials_required=wanted)
    story.world.context.publishing.add_aids(aid)
    story.aid = aid
    return story


def test_the_vault_asks_shows_it_before_consent_and_the_funder_accepts(wanting: Story) -> None:
    wanting.affiliate()
    vault, application = wanting.citizen.vault, mint_iri()
    disclosure = vault.prepare_application(wanting.aid, application, period=PERIOD)
    leaves = {leaf.path: leaf.value for leaf in disclosure.leaves}
    assert leaves["NoPriorAidCredential.family"] == FMD_FAMILY
    assert leaves["NoPriorAidCredential.periodUntil"] == PERIOD[1].isoformat()
    vault.share(disclosure.id, confirmed_at=wanting.home.clock())
    wanting.home.runner().run_due()
    found = vault.refresh_application(application)
    assert isinstance(found, Application) and found.state is ApplicationState.ACCEPTED
    kept = [record.document for record in vault.credentials("NoPriorAidCredential")]
    assert kept == [], "it is not kept"


def test_what_somebody_holds_is_said_before_anything_leaves(wanting: Story) -> None:
    wanting.affiliate()
    hold = Hold(FMD_FAMILY, 1, "f" * 20, PERIOD)
    with wanting.world.context.store.transact() as tx:
        assert tx.reserve_all((hold,), application=mint_iri(), at=wanting.home.clock()) is None
    with pytest.raises(HubRefusedError) as refused:
        wanting.citizen.vault.prepare_application(wanting.aid, mint_iri(), period=PERIOD)
    assert refused.value.hub_code == "already-awarded"


def test_without_the_credential_that_carries_it_the_ledger_is_not_asked(wanting: Story) -> None:
    with pytest.raises(ShareRefusedError) as refused:
        wanting.citizen.vault.prepare_application(wanting.aid, mint_iri(), period=PERIOD)
    assert str(refused.value.reason).startswith("missing:")
