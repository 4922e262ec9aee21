"""The state folder, after the story and with its servers up, searched for what nobody should be able to read in it."""

# ruff: noqa: E501 - the reason stands whole on one line

import json
import re
import sqlite3
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from connectors.sandbox.story import EMPLOYMENT, PERSON, Story
from tests.e2e.network import Network, network
from tests.e2e.servers import contents

HOME_FILES: Final = ("home.db*", "sessions.db*", "connectors.db*", "blobs", "keys", "logs")
"""What the home keeps. `demo.json`, `sandbox.*` and `attestation.pdf` belong to the person, the fictitious parties
and the reader."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network of this module's own: what other tests leave is theirs to account for."""
    with network(tmp_path_factory.mktemp("readable") / "state") as made:
        yield made


# --- what can be read ----------------------------------------------------------------------------


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a SQLite file, read only."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return list(connection.execute(query))


NUMBER: Final = re.compile(rb"(?<![0-9.:])[0-9]+\.[0-9]+(?![0-9])")
"""A number as text: not a part of a longer one or of a time of day."""


@cache
def coordinates() -> dict[bytes, float]:
    """Every coordinate of the story by its text; three digits stand in any ciphertext by chance."""
    points = {point for trip in Story().trips for leg in trip.legs for point in leg.path}
    values = {number for point in points for number in point}
    return {repr(abs(v)).encode(): v for v in values if len(repr(v)) >= 6}


@cache
def packed() -> dict[int, str]:
    """The eight bytes of each coordinate, in both orders, as one number."""
    return {
        int.from_bytes(struct.pack(f"{order}d", value), "little"): f"packed {order}{value}"
        for value in coordinates().values()
        for order in "<>"
    }


@cache
def words() -> dict[str, re.Pattern[bytes]]:
    """Places, labels and names of the story, as they would stand in a file."""
    said = {
        PERSON.given_name, PERSON.given_name.split()[0], PERSON.family_name, PERSON.birthdate,
        PERSON.email, PERSON.subject, EMPLOYMENT.employee_number,
        "Domicile", "Travail", "Démonstration", "Trèbes", "Carcassonne", "Narbonne",
        "shared_ride", "drove_alone", "bicycle", "carpool", "entertainment", "Europe/Paris",
        EMPLOYMENT.status,
    }  # fmt: skip
    said |= {str(trip.label) for trip in Story().trips if trip.label and len(trip.label) > 4}
    return {
        word: re.compile(
            b"|".join(
                re.escape(form)
                for form in {
                    word.encode(),
                    word.encode("utf-16-le"),
                    json.dumps(word)[1:-1].encode(),
                    word.upper().encode() if len(word) > 6 else word.encode(),
                }
            )
        )
        for word in said
    }


def readable(data: bytes) -> set[str]:
    """What of the story stands in `data`: one pass for the numbers, one a word."""
    found = {f"word {word}" for word, pattern in words().items() if pattern.search(data)}
    told = coordinates()
    found |= {f"coordinate {told[text]}" for text in set(NUMBER.findall(data)) & set(told)}
    wanted = np.array(sorted(packed()), dtype="<u8")
    for offset in range(8):
        whole = (len(data) - offset) // 8
        if whole > 0:
            here = np.frombuffer(data, dtype="<u8", count=whole, offset=offset)
            found |= {packed()[int(value)] for value in here[np.isin(here, wanted)]}
    return found


def test_the_search_finds_what_stands_in_clear() -> None:
    clear = json.dumps({"lat": 43.2109, "lon": 2.442, "who": PERSON.given_name}).encode()
    assert {"coordinate 43.2109", f"word {PERSON.given_name}"} <= readable(clear)
    assert "coordinate 43.2109" not in readable(b"143.2109 43.21091 00:43.2109")
    for order in "<>":
        hidden = b"x" * 13 + struct.pack(f"{order}d", 43.2109) + b"y"
        assert readable(hidden) == {f"packed {order}43.2109"}


def test_no_place_coordinate_label_or_name_is_readable_in_the_homes_files_and_logs(
    federation: Network,
) -> None:
    state = federation.settings.state
    files = contents(path for pattern in HOME_FILES for path in state.glob(pattern))
    names = {path.name for path in files}
    assert {
        "home.db",
        "home.db-wal",
        "sessions.db",
        "connectors.db",
        "home.log",
        "hub.log",
    } <= names
    held = sum(path.stat().st_size for path in files if path.name.startswith("home.db"))
    assert held > 500_000, "trips and tracks are there, sealed"
    assert {path.name: found for path, data in files.items() if (found := readable(data))} == {}
    everything = b"".join(files.values())
    for secret in ("passphrase", "recovery_code"):
        for form in (federation.memory[secret], federation.memory[secret].replace("-", "")):
            assert form.encode() not in everything


def test_the_hub_holds_only_what_the_consent_named(federation: Network) -> None:
    database = federation.settings.state / "hub.db"
    packages = rows(database, "select vp_token, consent_receipt from packages")
    assert packages
    for token, receipt in packages:
        if not (named := set(json.loads(receipt).get("dpv:hasData", ()))):
            continue  # a cheat of the seventh act came without a receipt
        told = {
            f"{credential['type'][-1]}.{name}"
            for presentations in json.loads(token).values()
            for presentation in presentations
            for credential in presentation["verifiableCredential"]
            for name in credential["credentialSubject"]
            if name != "id"
        }
        assert told
        assert told <= named, "more left than the consent says"
    assert any(json.loads(receipt).get("dpv:hasData") for _, receipt in packages)
    personal = b"".join(
        str(value).encode()
        for table in (
            "applications",
            "packages",
            "transitions",
            "requests",
            "documents",
            "refusals",
            "outbox",
        )
        for row in rows(database, f"select * from {table}")
        for value in row
    )
    allowed = {EMPLOYMENT.employee_number, EMPLOYMENT.status, "bicycle", "carpool"}
    assert readable(personal) <= {f"word {word}" for word in allowed}
    whole = b"".join(contents(federation.settings.state.glob("hub.db*")).values())
    for word in (PERSON.given_name, PERSON.family_name, PERSON.birthdate, PERSON.email):
        assert word.encode() not in whole
