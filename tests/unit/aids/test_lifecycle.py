"""The life of an aid: which step leads where, and what is asked before it is published."""

from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from federation.aids.catalogue import RuleModel, check_examples
from federation.aids.errors import RuleImportError, TransitionRefusedError
from federation.aids.lifecycle import TRANSITIONS, ended, moved, verified
from federation.aids.model import Aid, AidStatus, Example, Visibility, aid_from_json, aid_to_json
from federation.aids.national import NATIONAL_MODEL, mobility_allowance, national_rules
from schemas.ids import Did

AT = date(2026, 11, 22)


@pytest.fixture(scope="module")
def aid() -> Aid:
    return mobility_allowance(Did("did:web:hub"), "Mairie")


@pytest.mark.parametrize(("before", "after"), list(product(AidStatus, AidStatus)))
def test_an_aid_takes_the_steps_of_the_table_and_no_other(
    aid: Aid, before: AidStatus, after: AidStatus
) -> None:
    start = replace(aid, status=before)
    if after in TRANSITIONS[before]:
        assert moved(start, after, at=AT).status is after
    else:
        with pytest.raises(TransitionRefusedError) as refused:
            moved(start, after, at=AT)
        assert (refused.value.before, refused.value.after) == (before, after)


def test_a_draft_is_published_only_through_a_review(aid: Aid) -> None:
    draft = replace(aid, status=AidStatus.DRAFT)
    with pytest.raises(TransitionRefusedError):
        moved(draft, AidStatus.PUBLISHED, at=AT)
    reviewed = moved(draft, AidStatus.REVIEW, at=AT)
    assert moved(reviewed, AidStatus.PUBLISHED, at=AT).status is AidStatus.PUBLISHED


def test_what_has_ended_is_not_published_again_with_its_old_end(aid: Aid) -> None:
    late = replace(aid, status=AidStatus.SUSPENDED, ends_on=date(2026, 11, 21))
    with pytest.raises(TransitionRefusedError, match="ended on"):
        moved(late, AidStatus.PUBLISHED, at=AT)


def test_the_calendar_ends_only_what_is_in_force(aid: Aid) -> None:
    last_day = replace(aid, ends_on=AT)
    over = replace(aid, ends_on=date(2026, 11, 21))
    draft = replace(over, status=AidStatus.DRAFT)
    assert ended([last_day, draft, aid], AT) == ()
    (found,) = ended([over], AT)
    assert found.status is AidStatus.EXPIRED


def test_the_next_review_comes_after_the_verification(aid: Aid) -> None:
    found = verified(aid, on=AT, next_review=date(2027, 11, 22))
    assert (found.last_verified, found.next_review) == (AT, date(2027, 11, 22))
    with pytest.raises(TransitionRefusedError):
        verified(aid, on=AT, next_review=AT)


def test_an_aid_asked_for_here_needs_an_example_that_comes_out(aid: Aid) -> None:
    engine = RuleModel.compile(NATIONAL_MODEL, *national_rules()).engine
    check_examples(aid, engine, AT)
    with pytest.raises(RuleImportError, match="no example"):
        check_examples(replace(aid, examples=()), engine, AT)
    wrong = Example("100 jours", dict(aid.examples[7].situation), 29_999)
    with pytest.raises(RuleImportError, match="expected 29999 cents, got 30000"):
        check_examples(replace(aid, examples=(wrong,)), engine, AT)


@pytest.mark.parametrize("visibility", Visibility)
def test_who_is_told_survives_writing_and_reading(aid: Aid, visibility: Visibility) -> None:
    one = replace(aid, visibility=visibility)
    assert aid_from_json(aid_to_json(one)) == one
    assert one.is_public is (visibility is Visibility.PUBLIC)
