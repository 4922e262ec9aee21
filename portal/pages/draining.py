"""Taking in what waits in the drop-box, and saying what came of it."""

from portal.i18n import Translator
from vault.model import DrainReport
from vault.open_vault import OpenVault

__all__ = ["drain_all", "drain_words"]


def drain_all(vault: OpenVault) -> DrainReport:
    """Drain slice by slice until nothing waits."""
    total = vault.drain()
    while total.waiting:
        step = vault.drain()
        if not step.deposits and not step.quarantined:
            break
        total = total.plus(step)
    return total


def drain_words(t: Translator, report: DrainReport) -> str:
    """What a drain did, in one sentence."""
    if not report.deposits:
        return t("Rien de nouveau dans la boîte de dépôt.")
    parts = [t.n("{n} nouveau trajet", "{n} nouveaux trajets", report.trips_new)]
    if report.trips_changed:
        parts.append(t.n("{n} trajet mis à jour", "{n} trajets mis à jour", report.trips_changed))
    if report.duplicates:
        parts.append(t.n("{n} doublon réuni", "{n} doublons réunis", report.duplicates))
    if report.quarantined:
        parts.append(t.n("{n} en quarantaine", "{n} en quarantaine", report.quarantined))
    return ", ".join(parts) + "."
