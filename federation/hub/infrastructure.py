"""Infrastructures at the hub: sums per commune of the files its operator loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Final

from federation.aids.errors import InfrastructureFileError
from federation.aids.infrastructure import Counts, InfrastructureKind, count_file
from federation.aids.territory import Place
from federation.hub.model import InfrastructureSet
from federation.hub.store import HubStore

__all__ = ["InfrastructureService", "Mounted"]

_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class Mounted:
    """One kind in one territory. `count` and `amount` are what the file says of it, 0 included."""

    source: InfrastructureSet
    count: int
    amount: int


class InfrastructureService:
    """Loads files and answers for a territory. What was never loaded has no figure."""

    def __init__(self, store: HubStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def load(
        self, kind: InfrastructureKind, file: IO[bytes], *, source: str, licence: str, day: date
    ) -> tuple[InfrastructureSet, Counts]:
        """Count a file and put it in the place of the one of that kind, in one commit.

        Raises:
            InfrastructureFileError: the file, or its source, licence or day; nothing changed.
        """
        for name, text in (("source", source), ("licence", licence)):
            if not 0 < len(text.strip()) <= _TEXT or not text.isprintable():
                raise InfrastructureFileError(name, "missing or too long")
        if day > self._clock().date():
            raise InfrastructureFileError("date", "in the future")
        counts = count_file(kind, file)
        if not counts.communes:
            raise InfrastructureFileError("file", "nothing in it is in a commune that is known")
        made = InfrastructureSet(
            kind, source.strip(), licence.strip(), day, self._clock(), counts.items,
            counts.elsewhere, counts.left_out,
        )  # fmt: skip
        with self._store.transact() as tx:
            tx.put_infrastructure(made, counts.communes)
        return made, counts

    def remove(self, kind: InfrastructureKind) -> None:
        """Forget the file of a kind: its page says « aucune donnée » again."""
        with self._store.transact() as tx:
            tx.drop_infrastructure(kind)

    def sets(self) -> tuple[InfrastructureSet, ...]:
        """What is loaded."""
        with self._store.read() as reader:
            return reader.infrastructure_sets()

    def of(self, place: Place) -> tuple[Mounted, ...]:
        """Each kind that is loaded, summed over the communes of the place."""
        codes = frozenset(commune.code for commune in place.communes)
        with self._store.read() as reader:
            return tuple(
                Mounted(one, *reader.infrastructure_sum(one.kind, codes))
                for one in reader.infrastructure_sets()
            )
