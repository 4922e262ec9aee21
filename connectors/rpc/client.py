"""The register over HTTP: a token of five minutes, a journey's status, CEE applications."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote

from connectors.errors import ConnectorError, SourceAnswerError, SourceRefusedError
from connectors.http import as_source_error
from connectors.rpc.wire import CeeApplication, Registered, reference_of
from federation.wire.errors import OutboundError
from federation.wire.http import Answer, BoundedClient
from schemas.errors import NotFound, Refused

__all__ = ["CeeFiled", "CeeRefusedError", "JourneyUnknownError", "RegisterClient"]

TOKEN_TERM: Final = timedelta(minutes=4)
"""Of the five that a token lives."""
MAX_BYTES: Final = 200_000


class JourneyUnknownError(ConnectorError, NotFound):
    """The register has no journey of this name: never sent, or sent by another operator."""

    code: ClassVar[str] = "journey-unknown"

    def __init__(self) -> None:
        super().__init__("the register has no such journey")


class CeeRefusedError(ConnectorError, Refused):
    """The register does not take the application: `reason` is `already-filed` (with the day of the
    first), `no-eligible-journey` or `not-yet-or-too-late`. An outage is none of these."""

    code: ClassVar[str] = "cee-refused"

    def __init__(self, reason: str, *, filed_at: str = "", uuid: str = "") -> None:
        self.reason, self.filed_at, self.uuid = reason, filed_at, uuid
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class CeeFiled:
    """An application the register took."""

    uuid: str
    filed_at: str
    token: str
    """What the CEE authority asks as proof that nobody applied twice."""
    journey_id: str


class RegisterClient:
    """One node's account at the register. `base` ends with the version (`…/v3.3`)."""

    def __init__(
        self,
        client: BoundedClient,
        *,
        base: str,
        access_key: str,
        secret_key: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._base, self._clock = client, base.rstrip("/"), clock
        self._keys = {"access_key": access_key, "secret_key": secret_key}
        self._token, self._until = "", datetime.min.replace(tzinfo=clock().tzinfo)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "RegisterClient(***)"

    def journey(self, reference: str) -> Registered:
        """What the register says of one journey of ours.

        Raises:
            UnusableError: no name the register can hold. JourneyUnknownError; `Source…Error`s.
        """
        path = f"/journeys/{quote(reference_of(reference), safe='')}"
        answer = self._call(path, statuses=(200, 404))
        if answer.status == 404:
            raise JourneyUnknownError
        return Registered.of(answer.json(), reference=reference)

    def simulate(self, application: CeeApplication) -> None:
        """Whether an application may be filed one day: history is looked at, journeys are not.

        Raises:
            CeeRefusedError, UnusableError; `Source…Error`s.
        """
        answer = self._call("/policies/cee/simulate", application.simulation(), statuses=(200, 409))
        if answer.status == 409:
            raise _filed_before(answer)

    def apply(self, application: CeeApplication) -> CeeFiled:
        """File an application, seven days after the journey at the earliest.

        Raises:
            CeeRefusedError, UnusableError; `Source…Error`s: nothing was filed, or it is not known:
            the same call again finds out (409 names our own).
        """
        answer = self._call("/policies/cee", application.form(), statuses=(201, 400, 404, 409))
        match answer.status:
            case 400:
                raise CeeRefusedError("not-yet-or-too-late")
            case 404:
                raise CeeRefusedError("no-eligible-journey")
            case 409:
                raise _filed_before(answer)
        told = _object(answer)
        return CeeFiled(
            *(str(told.get(name, ""))[:500] for name in ("uuid", "datetime", "token", "journey_id"))
        )

    def _call(self, path: str, body: Any = None, *, statuses: tuple[int, ...]) -> Answer:
        for attempt in (1, 2):
            token = self._bearer(anew=attempt == 2)
            try:
                answer = self._ask(path, body, token, (*statuses, 401))
            except OutboundError as error:
                raise as_source_error(error, path.split("/", 2)[1]) from error
            if answer.status != 401:
                return answer
        raise SourceRefusedError(where="token", status=401)

    def _ask(self, path: str, body: Any, token: str, statuses: tuple[int, ...]) -> Answer:
        url, headers = self._base + path, {"Authorization": f"Bearer {token}"}
        if body is None:
            return self._client.get(url, headers=headers, statuses=statuses, max_bytes=MAX_BYTES)
        return self._client.post(
            url, json=body, headers=headers, statuses=statuses, max_bytes=MAX_BYTES
        )

    def _bearer(self, *, anew: bool) -> str:
        with self._lock:
            if anew or self._clock() >= self._until:
                try:
                    answer = self._client.post(
                        f"{self._base}/auth/access_token",
                        json=self._keys,
                        statuses=(200, 201),
                        max_bytes=MAX_BYTES,
                    )
                except OutboundError as error:
                    raise as_source_error(error, "auth") from error
                token = _object(answer).get("access_token")
                if not isinstance(token, str) or not token:
                    raise SourceAnswerError(where="/access_token", reason="a text expected")
                self._token, self._until = token, self._clock() + TOKEN_TERM
            return self._token


def _object(answer: Answer) -> dict[str, Any]:
    """The object of an answer, out of its JSON-RPC envelope where there is one."""
    told = answer.json()
    if isinstance(told, dict) and isinstance(told.get("result"), dict):
        told = told["result"].get("data")
    if not isinstance(told, dict):
        raise SourceAnswerError(where="/", reason="an object expected")
    return told


def _filed_before(answer: Answer) -> CeeRefusedError:
    told = _object(answer)
    return CeeRefusedError(
        "already-filed",
        filed_at=str(told.get("datetime", ""))[:40],
        uuid=str(told.get("uuid", ""))[:40],
    )
