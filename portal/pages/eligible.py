"""Eligible days of the citizen, by the day rule of the forfait in the catalogue."""

from datetime import date

from federation.aids.catalogue import Catalogue
from portal.context import HomeContext
from schemas.eligible_day import DayRule, EligibleDay, eligible_days
from vault.circles import keys_of
from vault.open_vault import OpenVault


def day_rule(catalogue: Catalogue) -> DayRule | None:
    """The first day rule of a published aid: the one the pages count with."""
    for aid in catalogue.aids:
        proof = aid.proof
        if proof is not None and proof.metric == "eligible-days":
            return DayRule(proof.rule, proof.modes, proof.minimum_evidence, proof.cap_per_day)
    return None


def eligible_between(
    context: HomeContext, vault: OpenVault, since: date, until: date
) -> tuple[EligibleDay, ...]:
    """Eligible days, both ends included; none while no catalogue was ever received."""
    catalogue, _ = context.catalogue.get(keys=keys_of(vault))
    rule = day_rule(catalogue) if catalogue is not None else None
    if rule is None:
        return ()
    trips = vault.trips(since, until)
    return eligible_days(trips, vault.places(), rule, since=since, until=until)


def eligible_on(context: HomeContext, vault: OpenVault, day: date) -> EligibleDay | None:
    """The eligible day of that date, if it is one."""
    found = eligible_between(context, vault, day, day)
    return found[0] if found else None
