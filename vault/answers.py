"""Answers the citizen gave to the questions of aids: kept sealed, changed, forgotten, never sent.

Each is an attribute of the vault named `answer.` and the rule's name, declared by the citizen; it
leaves with « tout emporter » like any record. « Passer » is an answer too (`SKIPPED`): the question
is not asked again until the citizen takes it back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from schemas.ids import mint_iri
from schemas.records import Attribute, Degree

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["PREFIX", "SKIPPED", "KeptAnswer", "forget_answer", "keep_answer", "kept_answers"]

PREFIX: Final = "answer."
SKIPPED: Final = "?"
_GONE: Final = ""
"""What stands in place of a forgotten answer: the revision before it is sealed no more."""

Given = bool | int | float | str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the citizen said, and when."""

    variable: str
    value: Given
    at: datetime

    @property
    def is_skipped(self) -> bool:
        """The citizen would rather not say, or does not know."""
        return self.value == SKIPPED


def kept_answers(vault: "OpenVault") -> Mapping[str, KeptAnswer]:
    """Every answer in force, by the rule's name."""
    return {
        a.name.removeprefix(PREFIX): KeptAnswer(
            a.name.removeprefix(PREFIX), a.value, a.certified_at
        )
        for a in vault.attributes()
        if a.name.startswith(PREFIX) and a.value != _GONE
    }


def keep_answer(vault: "OpenVault", variable: str, value: Given, *, at: datetime) -> None:
    """Keep an answer, in place of the one before."""
    name = f"{PREFIX}{variable}"
    old = next((a for a in vault.attributes(name)), None)
    vault.put(
        Attribute(
            id=old.id if old is not None else mint_iri(),
            revision=old.revision if old is not None else 1,
            name=name,
            value=value,
            source="citizen",
            certified_at=at,
            degree=Degree.CLAIMED,
        )
    )


def forget_answer(vault: "OpenVault", variable: str, *, at: datetime) -> None:
    """Take an answer back: its value is overwritten. Nothing happens when there is none."""
    if vault.attributes(f"{PREFIX}{variable}"):
        keep_answer(vault, variable, _GONE, at=at)
