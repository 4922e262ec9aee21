"""Aids written at a desk: kept as typed, tried at once, published by two people."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from federation.aids.editor.aid_form import faults_of_aid
from federation.aids.editor.reading import Inexpressible, NotExpressibleError
from federation.aids.errors import UnknownAidError
from federation.aids.model import AidStatus, FunderLevel
from federation.hub.access import Caller
from federation.hub.agreement import current_agreement
from federation.hub.aid_templates import AidTemplate, Choices
from federation.hub.draft import Draft, DraftState
from federation.hub.draft_sheet import (
    PRESETS,
    AtomCells,
    DraftSheet,
    ExampleCells,
    LineCells,
    QuestionCells,
    read_sheet,
    settle,
)
from federation.hub.drafting import MOST_OPEN, NOTICE
from federation.hub.enrolment import Enrolment
from federation.hub.errors import (
    AgreementMissingError,
    DraftChangedError,
    DraftRefusedError,
    DraftUnknownError,
    NotAllowedError,
    PublicNoticeError,
    SecondPersonError,
)
from federation.hub.members import Member
from tests.hub_world import World, build_world
from tests.unit.hub.test_enrolment import enrolled

PASSWORD = "un mot de passe bien long"
NOTE = "Le conseil du 12 novembre a voté cette aide."
LOW, MIDDLE, HIGH = (
    "7 100 € par part ou moins",
    "plus de 7 100 à 15 400 € par part",
    "plus de 15 400 € par part",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.context.close()


@pytest.fixture
def alone(world: World) -> Member:
    """Somebody who just opened the desk of a commune, with every role."""
    hub = world.context
    session = hub.enrolment.enrol(
        Enrolment(
            organisation="Commune de Trèbes", siret="21110397900020", level=FunderLevel.COMMUNE,
            service="Mobilités", contact="velo@trebes.example", person="Camille Roux",
            login="camille@trebes.example", agreement=current_agreement().digest,
        ),
        secret=hub.enrolment.invite(),
    )  # fmt: skip
    hub.members.set_password(session.member, PASSWORD)
    return session.member


def colleague(world: World, of: Member, role: Caller = Caller.EDITOR) -> Member:
    return world.context.members.add(
        f"{role.value}@trebes.example", PASSWORD, roles=frozenset((role,)), funder=of.funder
    )


def cargo(**changes: Any) -> DraftSheet:
    """30 % of the price of a cargo bicycle, more for the modest, a bonus for a disability."""
    price, income = "vélo . prix payé", "foyer . tranche de revenu"
    disabled = "demandeur . en situation de handicap"

    def case(amount: str, bracket: str, help_: str, due: str) -> ExampleCells:
        answers = {
            price: amount, income: bracket, disabled: help_, "demandeur . âge": "30",
            "vélo . type": "cargo",
        }  # fmt: skip
        return ExampleCells(label=f"{amount} €, {bracket}", answers=answers, expected=due)

    values: dict[str, Any] = {
        "title": "Aide au vélo cargo",
        "summary": "Une part du prix d'un vélo cargo, selon le revenu.",
        "territories": "commune 11397",
        "themes": ("velo", "achat-velo"),
        "questions": tuple(PRESETS[n] for n in ("age", "velo", "prix", "revenu", "handicap")),
        "conditions": (
            AtomCells(question="demandeur . âge", operator=">=", value="18"),
            AtomCells(question="vélo . type", operator="=", value="cargo"),
            AtomCells(joint="or", question="vélo . type", operator="=", value="cargo électrique"),
        ),
        "lines": (
            LineCells(
                when=(
                    AtomCells(question=income, operator="=", value=LOW),
                    AtomCells(joint="or", question=income, operator="=", value=MIDDLE),
                ),
                kind="share", percent="50", question=price, cap="1000",
            ),
            LineCells(kind="share", percent="30 %", question=price, cap="500"),
        ),
        "bonuses": (
            LineCells(
                when=(AtomCells(question=disabled, operator="=", value="oui"),),
                kind="fixed", amount="200",
            ),
        ),
        "share_percent": "60",
        "share_question": price,
        "documents": "Facture acquittée\nRIB",
        "statement": "Je déclare sur l'honneur que ces réponses sont exactes.",
        "examples": (
            case("1000", HIGH, "non", "300"),
            case("3 000,00 €", LOW, "oui", "1 200,00"),
            case("1000", MIDDLE, "oui", "600"),
        ),
    }  # fmt: skip
    return DraftSheet(**{**values, **changes})


def written(world: World, member: Member, sheet: DraftSheet | None = None) -> Draft:
    hub = world.context
    draft = hub.drafts.open_new(member)
    return hub.drafts.save(member, draft.id, sheet or cargo(), tag=draft.tag)


def test_a_funder_of_one_person_publishes_after_a_day_of_public_notice(
    world: World, alone: Member
) -> None:
    hub = world.context
    draft = written(world, alone)
    look = hub.drafts.look(draft)
    assert look.faults == ()
    assert [one.got for one in look.tried] == [300_00, 1_200_00, 600_00]
    waiting = hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    ((announced, funder),) = hub.drafts.announced()
    assert (announced.note, funder.name) == (NOTE, "Commune de Trèbes")
    with pytest.raises(PublicNoticeError) as told:
        hub.drafts.publish(alone, draft.id, tag=waiting.tag)
    assert told.value.retry_after_s == NOTICE.total_seconds()
    world.clock.advance(hours=24, seconds=-1)
    with pytest.raises(PublicNoticeError):
        hub.drafts.publish(alone, draft.id, tag=waiting.tag)
    world.clock.advance(seconds=1)
    aid = hub.drafts.publish(alone, draft.id, tag=waiting.tag)
    assert hub.publishing.public().aid(aid.slug).status is AidStatus.PUBLISHED
    assert hub.drafts.announced() == ()
    (revision,) = hub.publishing.revisions(aid.slug)
    assert revision.note == NOTE
    assert [(t.kind.value, t.code) for t in aid.territories] == [("commune", "11397")]


def test_with_a_second_person_whoever_submits_does_not_publish(world: World, alone: Member) -> None:
    hub = world.context
    second = colleague(world, alone, Caller.SUPERVISOR)
    draft = written(world, alone)
    waiting = hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    assert hub.drafts.announced() == (), "nobody else needs to be told"
    world.clock.advance(days=30)
    with pytest.raises(SecondPersonError):
        hub.drafts.publish(alone, draft.id, tag=waiting.tag)
    back = hub.drafts.send_back(second, draft.id, "Le plafond a été voté à 800 €.", tag=waiting.tag)
    assert (back.state, back.answer) == (DraftState.WRITING, "Le plafond a été voté à 800 €.")
    again = hub.drafts.submit(alone, draft.id, NOTE, tag=back.tag)
    with pytest.raises(DraftChangedError):
        hub.drafts.publish(second, draft.id, tag=waiting.tag)
    assert hub.drafts.publish(second, draft.id, tag=again.tag).status is AidStatus.PUBLISHED
    kept = hub.drafts.find(alone, draft.id)
    assert (kept.submitter, kept.reviewer) == (alone.id, second.id)


def test_sending_the_colleague_away_does_not_spare_the_notice(world: World, alone: Member) -> None:
    hub = world.context
    second = colleague(world, alone)
    draft = written(world, alone)
    waiting = hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    hub.members.disable(second.id)
    world.clock.advance(days=2)
    with pytest.raises(SecondPersonError):
        hub.drafts.publish(alone, draft.id, tag=waiting.tag)
    back = hub.drafts.take_back(alone, draft.id, tag=waiting.tag)
    again = hub.drafts.submit(alone, draft.id, NOTE, tag=back.tag)
    with pytest.raises(PublicNoticeError):
        hub.drafts.publish(alone, draft.id, tag=again.tag)


def test_nobody_overwrites_what_a_colleague_typed(world: World, alone: Member) -> None:
    hub = world.context
    second = colleague(world, alone)
    draft = written(world, alone)
    theirs = hub.drafts.save(second, draft.id, cargo(ceiling="900"), tag=draft.tag)
    with pytest.raises(DraftChangedError) as told:
        hub.drafts.save(alone, draft.id, cargo(ceiling="800"), tag=draft.tag)
    assert told.value.editor == second.id
    assert hub.drafts.find(alone, draft.id).sheet["ceiling"] == "900"
    same = hub.drafts.save(second, draft.id, cargo(ceiling="900"), tag=theirs.tag)
    assert same.tag == theirs.tag, "the same again is no change"


@pytest.mark.parametrize(
    ("changes", "where", "code"),
    [
        ({"ceiling": "beaucoup"}, "ceiling", "figure"),
        ({"territories": "Nulle-Part-sur-Mer"}, "territories", "territory"),
        ({"themes": ()}, "themes", "themes"),
        ({"ends_on": "2020-01-01"}, "ends_on", "past"),
        ({"ends_on": "demain"}, "ends_on", "date"),
        ({"lines": ()}, "lines", "no-amount"),
        ({"examples": ()}, "examples", "no-example"),
        ({"summary": "Court"}, "summary", "summary"),
        ({"statement": ""}, "statement", "statement"),
        ({"decision_days": "900"}, "decision_days", "days"),
        ({"floor": "700", "ceiling": "600"}, "floor", "above-ceiling"),
        ({"share_question": "demandeur . âge"}, "share_ceiling", "price"),
        ({"unique": "demandeur . âge"}, "unique", "unique"),
        ({"lines": (LineCells(kind="fixed", amount="5"), *cargo().lines)}, "lines.0",
         "never-reached"),
        ({"lines": (LineCells(kind="per-unit", amount="2", question="vélo . prix payé"),)},
         "lines.0", "piece"),
        ({"conditions": (AtomCells(question="vélo . type", operator=">", value="cargo"),)},
         "conditions", "operator"),
        ({"conditions": (AtomCells(question="vélo . type", operator="=", value="bateau"),)},
         "conditions", "value"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(changes: dict[str, Any], where: str, code: str) -> None:
    reading = read_sheet(settle(cargo(**changes)), rule="aide")
    faults = reading.faults
    if reading.form is not None:
        faults = faults_of_aid(reading.form, at=date(2026, 11, 22), declared=True)
    assert (where, code) in {(f.where, f.code) for f in faults}


def test_a_draft_with_a_fault_is_kept_and_not_submitted(world: World, alone: Member) -> None:
    hub = world.context
    draft = written(world, alone, cargo(ceiling="beaucoup"))
    assert draft.sheet["ceiling"] == "beaucoup"
    with pytest.raises(DraftRefusedError) as told:
        hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    assert (told.value.where, told.value.why) == ("ceiling", "figure")


def test_an_example_that_does_not_come_out_is_explained_and_keeps_it_back(
    world: World, alone: Member
) -> None:
    hub = world.context
    first, *others = cargo().examples
    wrong = first.model_copy(update={"expected": "301"})
    child = first.model_copy(
        update={"answers": {**first.answers, "demandeur . âge": "12"}, "expected": "non"}
    )
    draft = written(world, alone, cargo(examples=(wrong, child, *others)))
    tried = hub.drafts.look(draft).tried
    assert [one.as_expected for one in tried] == [False, True, True, True]
    assert tried[0].got == 300_00
    assert "Âge : 12 ans ; il faut au moins 18 ans." in [t["fr"] for t in tried[1].reasons]
    with pytest.raises(DraftRefusedError) as told:
        hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    assert told.value.where == "examples.0"


def test_a_new_version_says_what_changed_and_keeps_the_aid(world: World, alone: Member) -> None:
    hub = world.context
    second = colleague(world, alone)
    draft = written(world, alone)
    waiting = hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    first = hub.drafts.publish(second, draft.id, tag=waiting.tag)
    world.clock.advance(minutes=1)
    opened = hub.drafts.open_for(alone, first.slug)
    assert hub.drafts.open_for(second, first.slug).id == opened.id, "one open draft an aid"
    assert opened.sheet == opened.base
    with pytest.raises(DraftRefusedError) as told:
        hub.drafts.submit(alone, opened.id, NOTE, tag=opened.tag)
    assert told.value.why == "no-change"
    sheet = DraftSheet.model_validate(opened.sheet)
    changed = sheet.model_copy(
        update={"ceiling": "400", "examples": (sheet.examples[0],), "documents": "RIB"}
    )
    saved = hub.drafts.save(alone, opened.id, changed, tag=opened.tag)
    said = [(c.section, (c.before or {}).get("fr"), (c.after or {}).get("fr"))
            for c in hub.drafts.look(saved).changes]  # fmt: skip
    assert ("bounds", None, "En tout, au plus 400 €") in said
    assert ("application", "Document demandé : Facture acquittée", None) in said
    waiting = hub.drafts.submit(alone, opened.id, "Le plafond baisse en janvier.", tag=saved.tag)
    aid = hub.drafts.publish(second, opened.id, tag=waiting.tag)
    assert (aid.id, aid.slug) == (first.id, first.slug)
    assert aid.version == f"{first.version}.2"
    assert [d.version for d in hub.drafts.versions(aid.slug)] == [aid.version, first.version]
    assert len(hub.drafts.versions(aid.slug)[0].changes) == len(said)
    rules = hub.publishing.rules(aid.rule.model)
    assert rules[aid.rule.rule]["plafond"]["le minimum de"][1] == "400 €"


def test_a_suspended_aid_stays_suspended_in_its_new_version(world: World, alone: Member) -> None:
    hub = world.context
    second = colleague(world, alone)
    draft = written(world, alone)
    waiting = hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    aid = hub.drafts.publish(second, draft.id, tag=waiting.tag)
    hub.aids.suspend(alone, aid.slug, suspended=True)
    opened = hub.drafts.open_for(alone, aid.slug)
    sheet = DraftSheet.model_validate(opened.sheet).model_copy(update={"budget": "50 000"})
    saved = hub.drafts.save(alone, opened.id, sheet, tag=opened.tag)
    waiting = hub.drafts.submit(alone, opened.id, "Une enveloppe est fixée.", tag=saved.tag)
    changed = hub.drafts.publish(second, opened.id, tag=waiting.tag)
    assert changed.status is AidStatus.SUSPENDED
    assert changed.extra["budgetCents"] == 50_000_00


def test_a_cool_down_is_written_changed_and_refused_where_nobody_is_known_again(
    world: World, alone: Member
) -> None:
    hub, employer = world.context, enrolled(world, login="paie@trebes.example")
    figures = Choices(share=30, ceiling=400_00, cool_down=60)
    aid = hub.aids.publish(employer, AidTemplate.EBIKE, figures)
    opened = hub.drafts.open_for(employer, aid.slug)
    sheet = DraftSheet.model_validate(opened.sheet)
    assert sheet.cool_down == "60"
    for months, faults in (("36", ()), ("", ()), ("241", ("months",)), ("un an", ("months",))):
        changed = sheet.model_copy(update={"cool_down": months})
        opened = hub.drafts.save(employer, opened.id, changed, tag=opened.tag)
        look = hub.drafts.look(opened)
        assert tuple(f.code for f in look.faults if f.where == "cool_down") == faults
    fresh = written(world, alone)
    told = DraftSheet.model_validate(fresh.sheet).model_copy(update={"cool_down": "12"})
    fresh = hub.drafts.save(alone, fresh.id, told, tag=fresh.tag)
    assert [f.code for f in hub.drafts.look(fresh).faults] == ["unheld"]


def test_a_word_of_no_prior_aid_is_asked_for_or_not_in_the_editor(
    world: World, alone: Member
) -> None:
    hub, employer = world.context, enrolled(world, login="paie@trebes.example")
    figures = Choices(share=30, ceiling=400_00, no_prior=True)
    aid = hub.aids.publish(employer, AidTemplate.EBIKE, figures)
    opened = hub.drafts.open_for(employer, aid.slug)
    sheet = DraftSheet.model_validate(opened.sheet)
    assert sheet.no_prior
    asked = aid.credentials_required
    for wanted in (False, True):
        changed = sheet.model_copy(update={"no_prior": wanted})
        opened = hub.drafts.save(employer, opened.id, changed, tag=opened.tag)
        look = hub.drafts.look(opened)
        assert look.made is not None and look.faults == ()
        assert look.made.aid.credentials_required == (asked if wanted else asked[:-1])
        said = [c.before["fr"] for c in look.changes if c.before]
        assert any("absence d'aide antérieure" in text for text in said) is not wanted
    fresh = written(world, alone)
    told = DraftSheet.model_validate(fresh.sheet).model_copy(update={"no_prior": True})
    fresh = hub.drafts.save(alone, fresh.id, told, tag=fresh.tag)
    assert [(f.where, f.code) for f in hub.drafts.look(fresh).faults] == [
        ("no_prior", "unknown-person")
    ]


def test_the_aids_of_templates_open_in_the_editor_or_say_why_not(
    world: World, alone: Member
) -> None:
    hub = world.context
    bike = hub.aids.publish(
        alone, AidTemplate.PURCHASE,
        Choices(share=30, ceiling=200_00, modest_ceiling=400_00, modest_income=15_400_00),
    )  # fmt: skip
    look = hub.drafts.look(hub.drafts.open_for(alone, bike.slug))
    assert look.is_whole
    assert look.form is not None
    assert look.form.unique == "vélo . numéro"
    agents = hub.members.add(
        "paie@agglo.example", PASSWORD, roles=frozenset((Caller.EDITOR,)), funder="agglo"
    )
    with pytest.raises(NotExpressibleError) as told:
        hub.drafts.open_for(agents, "fmd-agents-publics-agglo")
    assert told.value.reason is Inexpressible.SHARED


def test_a_figure_that_is_proven_stays_asked(world: World, alone: Member) -> None:
    hub = world.context
    bike = hub.aids.publish(alone, AidTemplate.EBIKE, Choices(share=30, ceiling=200_00))
    opened = hub.drafts.open_for(alone, bike.slug)
    look = hub.drafts.look(opened)
    assert look.is_whole
    sheet = DraftSheet.model_validate(opened.sheet)
    other = sheet.questions[0].model_copy(update={"variable": "prix"})
    case = ExampleCells(label="Un prix", answers={"prix": "500"}, expected="150")
    saved = hub.drafts.save(
        alone, opened.id,
        sheet.model_copy(
            update={"questions": (other,), "examples": (case,),
                    "lines": (sheet.lines[0].model_copy(update={"question": "prix"}),)}
        ),
        tag=opened.tag,
    )  # fmt: skip
    assert ("questions", "bound") in {(f.where, f.code) for f in hub.drafts.look(saved).faults}
    sworn = sheet.model_copy(update={"statement": "Je déclare sur l'honneur que tout est vrai."})
    saved = hub.drafts.save(alone, opened.id, sworn, tag=saved.tag)
    assert [(f.where, f.code) for f in hub.drafts.look(saved).faults] == [("statement", "proven")]


def test_another_funder_finds_no_draft_and_an_officer_may_not(world: World, alone: Member) -> None:
    hub = world.context
    draft = written(world, alone)
    stranger = hub.members.add(
        "autre@agglo.example", PASSWORD, roles=frozenset((Caller.EDITOR,)), funder="agglo"
    )
    for call in (hub.drafts.find, hub.drafts.restore):
        with pytest.raises(DraftUnknownError):
            call(stranger, draft.id)
    with pytest.raises(DraftUnknownError):
        hub.drafts.publish(stranger, draft.id, tag=draft.tag)
    with pytest.raises(UnknownAidError):
        hub.drafts.open_for(alone, "fmd-agents-publics-agglo")
    officer = colleague(world, alone, Caller.OFFICER)
    with pytest.raises(NotAllowedError):
        hub.drafts.of(officer)
    supervisor = colleague(world, alone, Caller.SUPERVISOR)
    assert hub.drafts.of(supervisor)
    with pytest.raises(NotAllowedError):
        hub.drafts.save(supervisor, draft.id, cargo(), tag=draft.tag)


def test_a_discarded_draft_comes_back_for_a_month(world: World, alone: Member) -> None:
    hub = world.context
    draft = written(world, alone)
    gone = hub.drafts.discard(alone, draft.id, tag=draft.tag)
    assert hub.drafts.of(alone) == ()
    with pytest.raises(DraftRefusedError):
        hub.drafts.save(alone, draft.id, cargo(), tag=gone.tag)
    back = hub.drafts.restore(alone, draft.id)
    assert (back.state, back.sheet) == (DraftState.WRITING, draft.sheet)
    hub.drafts.discard(alone, draft.id, tag=back.tag)
    world.clock.advance(days=30, seconds=1)
    hub.drafts.open_new(alone)
    with pytest.raises(DraftUnknownError):
        hub.drafts.find(alone, draft.id)


def test_without_the_agreement_nothing_is_published(world: World) -> None:
    hub = world.context
    editor = hub.members.add(
        "a@agglo.example", PASSWORD, roles=frozenset((Caller.EDITOR,)), funder="agglo"
    )
    draft = written(world, editor)
    waiting = hub.drafts.submit(editor, draft.id, NOTE, tag=draft.tag)
    world.clock.advance(hours=24)
    with pytest.raises(AgreementMissingError):
        hub.drafts.publish(editor, draft.id, tag=waiting.tag)
    assert hub.drafts.find(editor, draft.id).state is DraftState.SUBMITTED


def test_the_drafts_of_a_funder_are_counted(world: World, alone: Member) -> None:
    hub = world.context
    for _ in range(MOST_OPEN):
        hub.drafts.open_new(alone)
    with pytest.raises(DraftRefusedError) as told:
        hub.drafts.open_new(alone)
    assert told.value.why == "too-many"


def test_the_schema_of_the_answers_takes_them_and_nothing_else(world: World, alone: Member) -> None:
    schema = world.context.drafts.look(written(world, alone)).schema
    assert schema is not None
    jsonschema.Draft202012Validator.check_schema(dict(schema))
    validator = jsonschema.Draft202012Validator(dict(schema))
    good = {
        "demandeur . âge": 30, "vélo . type": "cargo", "vélo . prix payé": 1_000.5,
        "foyer . tranche de revenu": LOW, "demandeur . en situation de handicap": False,
    }  # fmt: skip
    assert validator.is_valid(good)
    for wrong in (
        {**good, "vélo . type": "bateau"},
        {**good, "demandeur . âge": "30"},
        {**good, "revenu": 1},
        {k: v for k, v in good.items() if k != "vélo . prix payé"},
    ):
        assert not validator.is_valid(wrong)


def test_what_is_typed_settles_into_named_rows() -> None:
    sheet = settle(
        DraftSheet(
            questions=(
                QuestionCells(title="Carte de la ville ?", question="En avez-vous une ?",
                              kind="boolean"),
                QuestionCells(),
                QuestionCells(title="Carte de la ville", question="Laquelle ?", kind="text"),
                PRESETS["revenu"],
                QuestionCells(title="3", question="3 ?", kind="brackets", choices="20\n10"),
            ),
            conditions=(AtomCells(), AtomCells(question="x", value="1")),
            lines=(LineCells(), LineCells(amount="5", when=(AtomCells(),))),
            examples=(ExampleCells(answers={"x": ""}),),
        )
    )  # fmt: skip
    assert [q.variable for q in sheet.questions] == [
        "réponse . carte de la ville",
        "réponse . carte de la ville 2",
        "foyer . tranche de revenu",
        "réponse . question",
    ]
    assert sheet.questions[2].choices.splitlines() == [LOW, MIDDLE, HIGH]
    assert sheet.questions[3].kind == "brackets", "limits that do not grow wait to be mended"
    assert len(sheet.conditions) == len(sheet.lines) == 1
    assert sheet.lines[0].when == ()
    assert sheet.examples == ()
    assert settle(sheet) == sheet


def test_a_draft_whose_aid_moved_on_is_not_published(world: World, alone: Member) -> None:
    hub = world.context
    second = colleague(world, alone)
    draft = written(world, alone)
    waiting = hub.drafts.submit(alone, draft.id, NOTE, tag=draft.tag)
    aid = hub.drafts.publish(second, draft.id, tag=waiting.tag)
    opened = hub.drafts.open_for(alone, aid.slug)
    sheet = DraftSheet.model_validate(opened.sheet).model_copy(update={"budget": "50 000"})
    saved = hub.drafts.save(alone, opened.id, sheet, tag=opened.tag)
    waiting = hub.drafts.submit(alone, opened.id, NOTE, tag=saved.tag)
    hub.publishing.add_aids(replace(aid, version="ailleurs"))
    with pytest.raises(DraftChangedError):
        hub.drafts.publish(second, opened.id, tag=waiting.tag)
