"""Importing others' aids into a hub: what is kept, what expires, what changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from federation.aids.errors import RuleImportError
from federation.aids.model import AidStatus
from tests.hub_world import World, build_world
from tests.unit.aids.test_imports import ENTRY, META


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("hub"))


def document(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"_meta": META, "aides": list(entries)}


OTHER = {**ENTRY, "id": "autre-essai", "titre": "Autre aide"}


def test_an_import_adds_then_changes_nothing_then_expires_what_is_gone(world: World) -> None:
    publishing = world.context.publishing
    before = publishing.catalogue().version
    _, tried = publishing.import_document(document(ENTRY, OTHER), dry_run=True)
    assert len(tried.added) == 2
    assert publishing.catalogue().version == before, "a trial keeps nothing"
    publishing.import_document(document(ENTRY, OTHER))
    kept = publishing.catalogue()
    assert kept.version == before + 1
    assert kept.aid("aj-permis-essai").status is AidStatus.PUBLISHED
    _, again = publishing.import_document(document(ENTRY, OTHER))
    assert (again.added, again.removed, again.unchanged) == ((), (), 2)
    assert publishing.catalogue().version == kept.version
    _, gone = publishing.import_document(document(ENTRY))
    assert gone.removed == ("aj-autre-essai",)
    catalogue = publishing.catalogue()
    assert catalogue.aid("aj-autre-essai").status is AidStatus.EXPIRED, "nothing vanishes"
    _, still = publishing.import_document(document(ENTRY))
    assert still.removed == ()


def test_a_refused_document_leaves_the_catalogue_as_it_was(world: World) -> None:
    publishing = world.context.publishing
    before = publishing.catalogue().version
    for wrong in ({}, {"_meta": META, "aides": [{**ENTRY, "conditions": 3}]}):
        with pytest.raises(RuleImportError):
            publishing.import_document(wrong)
    assert publishing.catalogue().version == before


def test_the_quality_report_names_what_nobody_verified(world: World) -> None:
    world.context.publishing.import_document(document(ENTRY))
    found = {(f.slug, f.code) for f in world.context.publishing.quality()}
    assert ("aj-permis-essai", "never-verified") in found
    assert ("fmd-salaries-prives", "never-verified") in found
    assert ("velo-sarlat", "misspelt-key") in found


@pytest.mark.shared_data
def test_a_newer_bicycle_model_stays_when_the_hub_starts_again(shared: Path, world: World) -> None:
    import json

    from federation.aids.velo import join_index

    folder = shared / "data" / "aids"
    model, index = (
        json.loads((folder / f"{name}.json").read_text("utf-8"))
        for name in ("velo_aides_publicodes_model_v4", "velo_aides_index")
    )
    publishing = world.context.publishing
    publishing.import_document(join_index(model, index))
    version = publishing.catalogue().version
    publishing.ensure()
    assert publishing.catalogue().version == version
    assert publishing.catalogue().models["aides-velo"].version == "4.0.0"


@pytest.mark.shared_data
def test_a_hub_with_every_document_serves_a_catalogue_that_opens(
    shared: Path, world: World
) -> None:
    import json

    from federation.aids.catalogue import open_catalogue

    for name in (
        "covoiturage_incitations_rpc",
        "covoiturage_campagnes_rpc_policies",
        "aides_jeunes_mobilite_faits",
    ):
        text = (shared / "data" / "aids" / f"{name}.json").read_text("utf-8")
        world.context.publishing.import_document(json.loads(text))
    signed = world.context.publishing.signed()
    assert signed is not None
    trust = world.context.registry.current()
    opened = open_catalogue(signed.content, lambda kid: trust.key(kid, world.clock()))
    assert len(opened.aids) >= 600
