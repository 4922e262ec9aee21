"""A thread that does open jobs while a vault is open and somebody has a session: the archive that
was asked for, slices of a renewal of keys, news of applications, the pages that statistics read of
months that changed.

One a vault and process, begun when there is something to do, gone when there is not. It holds no
key of its own: when the vault locks it stops, and the next unlock begins another.
"""

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from schemas.errors import MobilityError, Retriable

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["Tender"]

_log = structlog.get_logger(__name__)

BREATH_S: Final = 0.05
"""Between slices: others want the writer lock too."""
SLICE_S: Final = 0.1
"""Of pages: a month or two."""
PAUSE_S: Final = 2.0
"""When another worker has the job, or another writer was first."""
STOP_S: Final = 30.0
"""A slice ends long before."""


def _is_due(vault: "OpenVault") -> bool:
    from vault import news
    from vault.archive import prepared
    from vault.rotation import is_due

    if prepared.is_due(vault) or is_due(vault) or news.is_due(vault):
        return True
    with vault.library.reading() as shelf:
        return bool(vault.almanac.missing(shelf))


class Tender:
    """The thread of one open vault."""

    def __init__(self, vault: "OpenVault") -> None:
        self._vault = vault
        self._stopped = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it runs already or nothing is due."""
        if not self._vault.home.settings.tends_open_vaults or not _is_due(self._vault):
            return
        with self._guard:
            if self._stopped.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="vault-tender", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the slice at hand; no other begins."""
        self._stopped.set()
        with self._guard:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(STOP_S)

    def _run(self) -> None:
        from vault import news
        from vault.archive import prepared
        from vault.rotation import is_due, step

        vault, first = self._vault, True
        while not self._stopped.is_set():
            try:
                if not vault.home.sessions_store.of_vault(vault.vault_id):
                    return
                exporting = prepared.is_due(vault)
                if exporting and prepared.step(vault, stopped=self._stopped.is_set):
                    moved = 1
                elif is_due(vault):
                    moved = step(vault, slices=1)
                elif first:
                    moved = 0  # whoever just unlocked or drained is answered first
                elif news.is_due(vault):
                    moved = news.ask(vault)
                else:
                    moved = vault.almanac.prepare(vault.library, until=time.monotonic() + SLICE_S)
                    if not moved and not exporting:
                        return
            except MobilityError as error:  # locked, shredded, or a month that is damaged
                if not isinstance(error, Retriable):
                    _log.info("vault.tending_stopped", code=error.code)
                    return
                moved = 0
            first = False
            self._stopped.wait(BREATH_S if moved else PAUSE_S)
