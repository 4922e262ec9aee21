"""Documents of operators, anywhere on the public network, within bounds."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.discovery.card import OfferCard
from connectors.discovery.gbfs import read_gbfs
from connectors.discovery.tomp import HEADERS, read_tomp
from connectors.errors import AddressError, HostileInputError, SourceAnswerError
from connectors.http import as_source_error, source_client
from connectors.parsing import load_json
from federation.wire.errors import OutboundError
from federation.wire.http import BoundedClient

__all__ = ["MAX_DOCUMENT", "discover"]

MAX_DOCUMENT: Final = 16_000_000
"""Bytes; the station files of the largest systems are near one million, those of vehicles near
ten."""
MAX_DOCUMENTS: Final = 12
TIMEOUT_S: Final = 15.0


def discover(address: str, *, allow_loopback: bool = False) -> OfferCard:
    """The offer at `address`: the address of a GBFS auto-discovery file, or of a TOMP endpoint.

    Raises:
        AddressError; SourceAnswerError: neither; the `Source…Error`s.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username is not None:
        raise AddressError
    with source_client(allow_loopback=allow_loopback, timeout_s=TIMEOUT_S) as client:
        if parts.path.rstrip("/").endswith(("gbfs.json", "gbfs")):
            return read_gbfs(address, _Reading(client, {}))
        return read_tomp(address, _Reading(client, HEADERS))


class _Reading:
    """Reads at most `MAX_DOCUMENTS`, each at most `MAX_DOCUMENT` bytes. Every address is checked by
    the client: https, and no private network."""

    def __init__(self, client: BoundedClient, headers: Mapping[str, str]) -> None:
        self._client, self._headers, self._read = client, headers, 0

    def __call__(self, url: str) -> Any:
        self._read += 1
        where = urlsplit(url).path.rpartition("/")[2][:60] or "/"
        if self._read > MAX_DOCUMENTS:
            raise SourceAnswerError(where=where, reason="too many documents")
        try:
            answer = self._client.get(url, headers=self._headers, max_bytes=MAX_DOCUMENT)
        except OutboundError as error:
            raise as_source_error(error, where) from error
        try:
            return load_json(answer.body, max_bytes=MAX_DOCUMENT)
        except HostileInputError as error:
            raise SourceAnswerError(where=where, reason=error.reason) from error
