"""Choices of the citizen, one record each, by a dotted name."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from schemas.ids import mint_iri
from schemas.records import Kind, Preference, Scalar

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["preference", "preferences", "set_preference"]


def preferences(vault: "OpenVault", prefix: str = "") -> dict[str, Preference]:
    """Every choice whose name begins with `prefix`. Of two of one name (two edits of a restored
    vault), the later one."""
    found = sorted(
        (cast(Preference, record) for record in vault.all(Kind.PREFERENCE)),
        key=lambda p: (p.decided_at, p.id),
    )
    return {p.name: p for p in found if p.name.startswith(prefix)}


def preference(vault: "OpenVault", name: str) -> Scalar | None:
    """What was chosen; None when nothing was."""
    found = preferences(vault, name).get(name)
    return None if found is None else found.value


def set_preference(vault: "OpenVault", name: str, value: Scalar | None) -> Preference | None:
    """Choose; None takes the choice back.

    Raises:
        RecordError: not a dotted name. RecordConflictError: chosen elsewhere meanwhile.
    """
    from vault.deletion import remove

    found = preferences(vault, name).get(name)
    if value is None:
        if found is not None:
            remove(vault, found.id)
        return None
    at = vault.home.clock()
    if found is None:
        made = Preference(id=mint_iri(), name=name, value=value, decided_at=at)
    elif found.value == value and type(found.value) is type(value):
        return found
    else:
        made = replace(found, value=value, decided_at=at)
    return cast(Preference, vault.put(made)[0])
