"""Rule engine and catalogue: one citizen, all aids, all communes, the real engine beside."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from federation.aids.catalogue import Catalogue, RuleModel
from federation.aids.publicodes import Engine
from federation.aids.search import Finder, Query
from federation.aids.territories import communes
from federation.aids.velo import KNOWN_DEFECTS, import_velo, read_velo_asset
from schemas.ids import Did, Iri
from tests.bench.conftest import Bench, median_s
from tests.interop.publicodes_oracle import Publicodes

pytestmark = pytest.mark.bench

DOCUMENT = read_velo_asset()
RULES: dict[str, Any] = DOCUMENT["rules"]
NAMES = list(DOCUMENT["localisations"])
PARIS: dict[str, Any] = {
    "localisation . code insee": "'75056'",
    "localisation . région": "'11'",
    "localisation . département": "'75'",
    "localisation . epci": "'Métropole du Grand Paris'",
    "revenu fiscal de référence par part": "5000 €/an",
    "vélo . type": "'électrique'",
    "vélo . état": "'neuf'",
    "vélo . prix": "1500 €",
}
LOCAL = ["aides . paris", "aides . ile de france"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(RULES, ignored=KNOWN_DEFECTS, lenient_units=True)


@pytest.fixture(scope="module")
def theirs() -> Iterator[Publicodes]:
    with Publicodes(RULES) as found:
        yield found


def ask(engine: Engine, names: list[str], situation: dict[str, Any]) -> list[Any]:
    session = engine.session(situation)
    return [session.evaluate(name).value for name in names]


def test_loading_the_bicycle_model(bench: Bench) -> None:
    seconds = median_s(lambda: Engine(RULES, ignored=KNOWN_DEFECTS, lenient_units=True), n=9)
    bench.put("aids.engine_load_ms", seconds * 1000, "ms", n=9)


def test_one_citizen(bench: Bench, engine: Engine, theirs: Publicodes) -> None:
    assert ask(engine, LOCAL, PARIS) == [value for value, _ in theirs.evaluate(PARIS, LOCAL)]
    local = median_s(lambda: ask(engine, LOCAL, PARIS), n=15, inner=20)
    bench.put("aids.local_ms", local * 1000, "ms", n=300)
    ours = median_s(lambda: ask(engine, NAMES, PARIS), n=15, inner=3)
    bench.put("aids.national_ms", ours * 1000, "ms", n=45)
    real = median_s(lambda: theirs.evaluate(PARIS, NAMES), n=9)
    bench.put("aids.vs_publicodes", real / ours, "times", n=9)


def test_every_commune_for_one_profile(bench: Bench, engine: Engine) -> None:
    report = import_velo(DOCUMENT, publisher=Did("did:web:hub"), at=date(2026, 11, 22))
    by_place: dict[tuple[str, str], list[str]] = {}
    for aid in report.aids:
        for place in aid.territories:
            by_place.setdefault((place.kind.value, place.code), []).append(aid.rule.rule)
    profile = {k: v for k, v in PARIS.items() if not k.startswith("localisation")}

    def all_of_them() -> int:
        paid = 0
        for commune in communes():
            names = [name for code in commune.codes for name in by_place.get(code, ())]
            if not names:
                continue
            situation = {
                **profile,
                "localisation . code insee": f"'{commune.code}'",
                "localisation . département": f"'{commune.departement}'",
                "localisation . région": f"'{commune.region}'",
                "localisation . epci": f"'{commune.epci_name or ''}'",
            }
            paid += any(ask(engine, names, situation))
        return paid

    assert all_of_them() > 5_000
    bench.put("aids.all_communes_s", median_s(all_of_them, n=1), "s")


def test_searching_five_thousand_aids(bench: Bench, engine: Engine) -> None:
    """Words, words and place, place alone, filters, everything: with order, reasons and facets."""
    day = date(2026, 11, 22)
    report = import_velo(DOCUMENT, publisher=Did("did:web:hub"), at=day)
    open_ones = [aid for aid in report.aids if aid.is_open(day)]
    aids = tuple(
        replace(aid, id=Iri(f"{aid.id}-{n}"), slug=f"{aid.slug}-{n}")
        for n in range(-(-5_000 // len(open_ones)))
        for aid in open_ones
    )[:5_000]
    model = RuleModel(report_model := "aides-velo", report.version, RULES, engine)
    catalogue = Catalogue(Did("did:web:hub"), 1, datetime(2026, 11, 22, tzinfo=UTC), aids,
                          {report_model: model})  # fmt: skip
    finder = Finder(catalogue, day)
    assert len(finder.aids) == 5_000
    draw = random.Random(1)
    words = ["velo", "région", "occitanie", "vae", "cargo neuf", "paris", "rien du tout", "cov", ""]
    places = [*[None] * 20, *draw.sample(communes(), 20)]
    queries = [
        Query(draw.choice(words), commune=draw.choice(places), mode=draw.choice(["", "", "velo"]))
        for _ in range(100)
    ]
    times = sorted(median_s(lambda q=q: finder.find(q, stop=50), n=3) for q in queries)  # type: ignore[misc]
    bench.put("aids.search_p95_ms", times[94] * 1000, "ms", n=300)


def test_the_oracle_is_the_pinned_version() -> None:
    package = Path(__file__).resolve().parents[2] / "node_modules" / "publicodes" / "package.json"
    assert json.loads(package.read_text("utf-8"))["version"] == "1.10.3"
