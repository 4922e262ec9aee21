"""The ways to open a vault, as its owner keeps them: list, add, replace, remove.

1. Every act needs an open vault; the HTTP side also asks for a session that began lately.
2. A new slot wraps the same root key; slots do not know each other. Each has a key pair of its own,
   so that the root can be renewed without its secret (`renew_root`).
3. Removing or replacing one ends every other session of the vault, at once and everywhere.
4. The last slot is not removed: the count is taken inside the writing transaction.
5. Every act is a line of the journal: the kind, never the secret or the name.

A removed slot is gone from the store. A copy of database and key store made before still holds it:
such copies live at most `HomeSettings.backups_kept`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation.multibase import EncodingError, b64url, b64url_decode
from vault.crypto.errors import KeyUnknownError, SlotBoundError
from vault.crypto.kdf import PROFILES
from vault.crypto.secret import RootKey, Secret, zero
from vault.crypto.shares import seal_shares_slot
from vault.crypto.slot_parameters import SharesParameters
from vault.crypto.slots import Slot as SlotHeader
from vault.crypto.slots import rewrap_slot, seal_passphrase_slot, seal_recovery_slot
from vault.errors import LastSlotError, SlotUnknownError
from vault.library import Draft, changing_ring
from vault.model import SlotView
from vault.store import Slot
from vault.unlocking import Way
from vault.values import open_value, seal_value

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["AUTO_LOCKS", "SlotService", "slot_row"]

KINDS: Final = {
    "passphrase": "passphrase",
    "passkey_prf": "passkey",
    "recovery": "recovery",
    "shares": "shares",
}
"""Stored kind to the word of `SlotView.kind`."""
_ORDER: Final = tuple(KINDS.values())
AUTO_LOCKS: Final = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30))
"""Idle times a citizen may choose; never longer than the home's."""
_AUTO_LOCK: Final = "auto-lock"
_MAX_NAME: Final = 60


def slot_row(sealed: bytes) -> Slot:
    """A sealed slot as its row."""
    header = SlotHeader.parse(sealed)
    return Slot(header.slot_id.hex(), header.kind.name.lower(), sealed)


def _note(slot_id: str) -> str:
    return f"slot-name:{slot_id}"


class SlotService:
    """Ways to open, over one home."""

    def __init__(self, home: "Home") -> None:
        self._home = home

    # --- reading ------------------------------------------------------------------------------

    def list(self, vault: "OpenVault") -> tuple[SlotView, ...]:
        """Every slot, oldest first, then login keys, which open nothing."""
        with vault.library.reading() as shelf:
            slots = shelf.reader.slots(vault.vault_id)
            passkeys = shelf.reader.passkeys(vault.vault_id)
            sealed = shelf.reader.settings(vault.vault_id)

        def name_of(note: str) -> str:
            if note not in sealed:
                return ""
            found = open_value(vault.library.keyring, sealed[note], place="setting", name=note)
            return found.decode()

        views = [self._view(slot, name_of(_note(slot.slot_id))) for slot in slots]
        views.sort(key=lambda view: (view.created_at, _ORDER.index(view.kind)))
        for passkey in passkeys:
            if passkey.slot_id is None:
                name = b64url(passkey.credential_id)
                views.append(
                    SlotView(
                        slot_id=name,
                        kind="login-key",
                        name=name_of(_note(name)),
                        created_at=passkey.created_at,
                        last_used_on=_day(passkey.last_used_on),
                        can_open=False,
                        may_become_slot=passkey.prf_input is not None,
                    )
                )
        return tuple(views)

    def _view(self, slot: Slot, name: str) -> SlotView:
        header = SlotHeader.parse(slot.sealed)
        shares = costs = None
        if slot.kind == "shares":
            found = SharesParameters.decode(header.parameters)
            shares = (found.threshold, found.count)
        if header.profile is not None:
            costs = next(
                (
                    profile.name
                    for profile in PROFILES.values()
                    if (profile.memory_kib, profile.iterations)
                    == (header.profile.memory_kib, header.profile.iterations)
                ),
                "custom",
            )
        assert slot.created_at is not None  # noqa: S101  # read from its row
        return SlotView(
            slot_id=slot.slot_id,
            kind=KINDS[slot.kind],
            name=name,
            created_at=slot.created_at,
            last_used_on=_day(slot.last_used_on),
            shares=shares,
            costs=costs or "",
        )

    # --- adding and replacing -----------------------------------------------------------------

    def set_passphrase(
        self, vault: "OpenVault", new: str | bytearray, *, keep: str | None = None
    ) -> None:
        """Add a passphrase, or put it in place of the one there is. Other sessions end; `keep` is
        the cookie of the one that stays.

        Raises:
            PassphraseError: empty or too long. BusyError: again in a moment.
        """
        home, vault_id = self._home, vault.vault_id
        pepper, ring_key = home.key_store.pepper(vault_id), self.ring_key(vault)
        sealed = home.pool.run(
            lambda: seal_passphrase_slot(
                vault.root,
                new,
                pepper=pepper,
                vault=vault_id,
                profile=home.profile,
                ring_key=ring_key,
            )
        )
        self._replace(vault, sealed, event="passphrase-changed", keep=keep)

    def new_recovery_code(
        self, vault: "OpenVault", *, keep: str | None = None, others_end: bool = True
    ) -> str:
        """A new recovery code, to be shown once; the earlier one opens nothing any more.
        `others_end`: no session can have begun while a vault is being restored."""
        pepper = self._home.key_store.pepper(vault.vault_id)
        sealed, code = seal_recovery_slot(
            vault.root, pepper=pepper, vault=vault.vault_id, ring_key=self.ring_key(vault)
        )
        self._replace(vault, sealed, event="key-added", keep=keep, others_end=others_end)
        revealed = code.reveal()
        text = revealed.decode()
        zero(revealed)
        code.wipe()
        return text

    def make_shares(
        self, vault: "OpenVault", *, threshold: int, count: int, keep: str | None = None
    ) -> tuple[str, ...]:
        """Recovery shares, any `threshold` of which open the vault; to be shown once. Earlier ones
        open nothing any more.

        Raises:
            SlotParametersError: not 2 ≤ threshold ≤ count ≤ 16.
        """
        pepper = self._home.key_store.pepper(vault.vault_id)
        sealed, made = seal_shares_slot(
            vault.root,
            threshold=threshold,
            count=count,
            pepper=pepper,
            vault=vault.vault_id,
            ring_key=self.ring_key(vault),
        )
        self._replace(vault, sealed, event="key-added", keep=keep)
        return made.shares

    def add_passkey_slot(
        self, vault: "OpenVault", sealed: bytes, *, and_then: Callable[[Draft, Slot], None]
    ) -> Slot:
        """Put a sealed passkey slot beside the others; `and_then` writes in the same commit."""
        row = slot_row(sealed)
        with vault.library.writing() as draft:
            draft.tx.put_slot(vault.vault_id, row, at=self._home.clock())
            and_then(draft, row)
            draft.journal("key-added", kind="passkey")
        return row

    def _replace(
        self,
        vault: "OpenVault",
        sealed: bytes,
        *,
        event: str,
        keep: str | None,
        others_end: bool = True,
    ) -> None:
        row, vault_id = slot_row(sealed), vault.vault_id
        with vault.library.writing() as draft:
            earlier = [slot for slot in draft.tx.slots(vault_id) if slot.kind == row.kind]
            for slot in earlier:
                self._drop(draft, vault_id, slot.slot_id)
            draft.tx.put_slot(vault_id, row, at=self._home.clock())
            draft.journal(event, kind=KINDS[row.kind], replaced=len(earlier))
        if earlier and others_end:
            self._home.end_sessions(vault_id, keep=keep)

    def _drop(self, draft: Draft, vault_id: str, slot_id: str) -> None:
        draft.tx.delete_slot(vault_id, slot_id)
        draft.tx.delete_setting(vault_id, _note(slot_id))

    # --- the root -----------------------------------------------------------------------------

    def ring_key(self, vault: "OpenVault") -> Secret:
        """The ring's slot key; a ring from before has none, and gets it."""
        vault.head()  # takes in a ring that another worker changed
        try:
            return vault.library.keyring.slot_key()
        except KeyUnknownError:
            pass
        with vault.library.writing() as draft, changing_ring(vault.library, draft) as ring:
            ring.add_slot_key(at=self._home.clock())
            draft.put_keyring(vault.root, ring)
        vault.head()
        return vault.library.keyring.slot_key()

    def upgrade(self, vault: "OpenVault", slot: Slot, way: Way, *, day: datetime) -> None:
        """Seal a slot again with what opened it, under its own number: today's costs, and a pair
        of its own."""
        home, vault_id = self._home, vault.vault_id
        stronger = replace(
            slot_row(
                way.seal(
                    vault.root,
                    slot.sealed,
                    pepper=home.key_store.pepper(vault_id),
                    vault=vault_id,
                    profile=home.profile,
                    ring_key=self.ring_key(vault),
                )
            ),
            last_used_on=day,
        )
        with vault.library.writing() as draft:
            # Replaced or removed meanwhile by its owner, or around another root: theirs counts.
            if any(
                s.slot_id == slot.slot_id and s.sealed == slot.sealed
                for s in draft.tx.slots(vault_id)
            ):
                draft.tx.put_slot(vault_id, stronger, at=slot.created_at or home.clock())
                draft.journal("key-upgraded", actor="home", kind=KINDS[slot.kind])

    def bound(self, vault: "OpenVault") -> tuple[SlotView, ...]:
        """Ways to open that only their own secret can renew: made before 2026-11-22 and not used
        since. Using one, or making it anew, is enough."""
        with vault.library.reading() as shelf:
            old = {
                slot.slot_id
                for slot in shelf.reader.slots(vault.vault_id)
                if SlotHeader.parse(slot.sealed).version == 1
            }
        return tuple(view for view in self.list(vault) if view.slot_id in old)

    def renew_root(self, vault: "OpenVault", *, keep: str | None = None) -> None:
        """Put another root key in place of the vault's, in one commit: the ring is sealed under
        it, every slot is re-wrapped without its secret, and every other session ends. `keep` is
        the cookie of the one that goes on. This process's open vault is zeroed.

        Raises:
            SlotBoundError: `bound` names ways that would stop opening; nothing was changed.
        """
        home, vault_id = self._home, vault.vault_id
        with RootKey.random() as fresh:
            with vault.library.writing() as draft, changing_ring(vault.library, draft) as ring:
                try:
                    ring_key = ring.slot_key()
                except KeyUnknownError:
                    raise SlotBoundError from None
                for slot in draft.tx.slots(vault_id):
                    sealed = rewrap_slot(slot.sealed, fresh, ring_key=ring_key, vault=vault_id)
                    row = replace(slot, sealed=sealed)
                    draft.tx.put_slot(vault_id, row, at=slot.created_at or home.clock())
                draft.put_keyring(fresh, ring)
                draft.journal("root-renewed")
            home.root_renewed(vault_id, fresh, keep=keep)

    # --- removing, naming ---------------------------------------------------------------------

    def remove(self, vault: "OpenVault", slot_id: str, *, keep: str | None = None) -> None:
        """Take a way to open away; a login key too. Other sessions end.

        Raises:
            LastSlotError: it is the last that opens. SlotUnknownError: no such one here.
        """
        vault_id = vault.vault_id
        with vault.library.writing() as draft:
            slots = {slot.slot_id: slot for slot in draft.tx.slots(vault_id)}
            passkeys = draft.tx.passkeys(vault_id)
            credential = _credential(slot_id)
            found = slots.get(slot_id)
            if found is not None:
                if len(slots) == 1:
                    raise LastSlotError
                self._drop(draft, vault_id, slot_id)
                for passkey in passkeys:
                    if passkey.slot_id == slot_id:
                        draft.tx.delete_passkey(vault_id, passkey.credential_id)
                draft.journal("key-removed", kind=KINDS[found.kind])
            elif any(p.slot_id is None and p.credential_id == credential for p in passkeys):
                assert credential is not None  # noqa: S101  # equal to one of ours
                draft.tx.delete_passkey(vault_id, credential)
                draft.tx.delete_setting(vault_id, _note(slot_id))
                draft.journal("key-removed", kind="login-key")
            else:
                raise SlotUnknownError
        self._home.end_sessions(vault_id, keep=keep)

    def name(self, vault: "OpenVault", slot_id: str, name: str) -> None:
        """Call a way to open something; sealed like the rest. An empty name takes it away.

        Raises:
            SlotUnknownError: no such one here.
        """
        if all(view.slot_id != slot_id for view in self.list(vault)):
            raise SlotUnknownError
        text = " ".join(name.split())[:_MAX_NAME]
        if text:
            vault.put_setting(_note(slot_id), text.encode())
        else:
            with vault.library.store.transact() as tx:
                tx.lock_head(vault.vault_id)
                tx.delete_setting(vault.vault_id, _note(slot_id))

    # --- auto-lock ----------------------------------------------------------------------------

    def auto_lock(self, vault: "OpenVault") -> timedelta:
        """After how long without an act the vault closes by itself."""
        kept = vault.setting(_AUTO_LOCK)
        idle = self._home.settings.idle
        return idle if kept is None else min(idle, timedelta(seconds=int(kept)))

    def set_auto_lock(self, vault: "OpenVault", idle: timedelta) -> None:
        """Choose one of `AUTO_LOCKS`; counts from the next opening. The home's own idle and
        absolute times stay the upper bounds."""
        chosen = min(AUTO_LOCKS, key=lambda known: abs(known - idle))
        vault.put_setting(_AUTO_LOCK, str(int(chosen.total_seconds())).encode())


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.date()


def _credential(slot_id: str) -> bytes | None:
    try:
        return b64url_decode(slot_id)
    except EncodingError:
        return None


def seal_name(vault: "OpenVault", draft: Draft, slot_id: str, name: str) -> None:
    """Name a slot in the commit that makes it."""
    text = " ".join(name.split())[:_MAX_NAME]
    if text:
        note = _note(slot_id)
        sealed = seal_value(vault.library.keyring, text.encode(), place="setting", name=note)
        draft.tx.put_setting(vault.vault_id, note, sealed)
