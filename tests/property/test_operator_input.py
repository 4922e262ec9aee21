"""Whatever an operator sends: a record, or a rule with its place; never another error."""

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract.documents import read_item
from connectors.contract.news import _read
from connectors.contract.oauth import describe
from connectors.discovery.gbfs import FEEDS, read_gbfs
from connectors.discovery.gtfs import MAX_ROWS, Around, read_gtfs
from connectors.discovery.tomp import read_tomp
from connectors.errors import ConnectorError, HostileInputError, PushInvalidError, SourceAnswerError
from connectors.http import Fetched
from connectors.parsing import UnusableError

AT = datetime(2026, 11, 22, tzinfo=UTC)
BASE = "https://operateur.example"
GOOD: dict[str, Any] = {
    "id": "1",
    "updatedAt": "2026-11-18T19:10:00Z",
    "startedAt": "2026-11-18T17:42:00Z",
    "endedAt": "2026-11-18T18:03:00Z",
    "timeZone": "Europe/Paris",
    "mode": "bus",
    "distance": 6200,
    "network": {"name": "R"},
    "product": "P",
    "validFrom": "2026-11-01",
    "validUntil": "2026-11-30",
    "issuer": {"name": "R"},
    "number": "1",
    "issuedOn": "2026-11-01",
    "total": 100,
}
MEMBERS = [
    *GOOD,
    "state",
    "origin",
    "destination",
    "legs",
    "lines",
    "price",
    "period",
    "currency",
    "payer",
    "holder",
    "endTimeZone",
    "receiptNumber",
]
WORDS = st.sampled_from(
    ["", "EUR", "2026-11-18T17:42:00Z", "2026-11-01", "Europe/Paris", "bus", "\ud800", "\x00", "é"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | WORDS
    | st.sampled_from([1e308, -1, 0, 10**30, float("nan")])
)
KEYS = st.text(max_size=5) | st.sampled_from(
    ["lat", "lon", "name", "siret", "amount", "from", "until", "label", "unitAmount", "quantity"]
)
VALUES = st.recursive(
    SCALARS, lambda x: st.lists(x, max_size=4) | st.dictionaries(KEYS, x, max_size=4), max_leaves=10
)


@settings(deadline=None)
@given(
    st.sampled_from(["trips", "passes", "receipts"]),
    st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=4),
)
def test_an_item_is_read_or_named(resource: str, changes: dict[str, Any]) -> None:
    try:
        found = read_item(
            resource, {**GOOD, **changes}, "/items/0", address=BASE, account="a", at=AT
        )
    except UnusableError as error:
        assert error.where.startswith("/items/0")
    else:
        assert found


@settings(deadline=None)
@given(VALUES)
def test_news_are_read_or_named(body: Any) -> None:
    try:
        assert _read(body)
    except PushInvalidError as error:
        assert error.faults


@settings(deadline=None)
@given(VALUES, st.dictionaries(st.sampled_from(["name", "keys", "api", "contract"]), VALUES))
def test_a_description_is_read_or_refused(other: Any, changes: dict[str, Any]) -> None:
    good = {
        "contract": "mobility-account/1",
        "name": "R",
        **{
            f"{name}_endpoint": f"{BASE}/{name}"
            for name in ("authorization", "token", "registration")
        },
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["trips"],
        "api": f"{BASE}/v1",
        "keys": [],
    }

    class Told:
        def __init__(self, found: Any) -> None:
            self.found = found

        def fetch(self, *_: Any, **__: Any) -> Fetched:
            return Fetched(200, self.found, None)

        def call(self, *_: Any, **__: Any) -> tuple[int, Any]:
            raise AssertionError

    for found in ({**good, **changes}, other):
        try:
            assert describe(Told(found), BASE).resources
        except SourceAnswerError:
            continue


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FEEDS), VALUES), VALUES)
def test_a_fleet_is_read_or_refused(feeds: dict[str, Any], other: Any) -> None:
    listed = [{"name": name, "url": name} for name in FEEDS]

    def read(url: str) -> Any:
        if url == BASE:
            return {"version": "2.3", "last_updated": other, "data": {"fr": {"feeds": listed}}}
        members = ("stations", "bikes", "vehicles", "plans", "vehicle_types")
        value = feeds.get(url)
        data = value if isinstance(value, dict) else dict.fromkeys(members, value)
        return {"data": data, "last_updated": other}

    assert read_gbfs(BASE, read).to_json()
    for found in (other, {"version": "3.0", "data": other}):
        try:
            read_gbfs(BASE, lambda _url, found=found: found)
        except ConnectorError:
            continue


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES), VALUES)
def test_a_tomp_operator_is_read_or_refused(system: dict[str, Any], other: Any) -> None:
    def read(url: str) -> Any:
        return system if url.endswith("information") else [other, {"fare": other}]

    assert read_tomp(BASE, read).to_json()


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(MAX_ROWS)),
        st.binary(max_size=200) | st.text(alphabet=',"\n\r;0129abroute_idstop', max_size=200),
    ),
    st.integers(0, 400),
)
def test_a_timetable_is_read_or_refused(files: dict[str, Any], cut: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("agency.txt", "routes.txt", "stops.txt"):
            archive.writestr(name, files.get(name, "route_id,route_type\nr,3\n"))
        for name, content in files.items():
            if name not in {"agency.txt", "routes.txt", "stops.txt"}:
                archive.writestr(name, content)
    data = made.getvalue()
    for found in (data, data[: len(data) - cut], data[:cut] + b"\xff" + data[cut + 1 :]):
        for around in (None, Around(0.0, 0.0, 50_000)):
            try:
                read_gtfs(io.BytesIO(found), around=around)
            except HostileInputError:
                continue
