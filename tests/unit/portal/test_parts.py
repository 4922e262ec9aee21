"""Settings, maps, communes, amounts, checks, legal texts."""

import re
from importlib import resources
from pathlib import Path

import pytest

from federation.aids.territories import by_code, search
from portal.browser import Answer, PageError
from portal.errors import SettingsContradictionError
from portal.i18n import LANGUAGES, translator
from portal.pages.checks import check_rows
from portal.pages.hub import euros_to_cents
from portal.pages.legal import legal_text, render
from portal.serve import settings_environment
from portal.settings import Node, Settings
from portal.svg import Bar, MapLine, Pin, bars, trip_map

README = Path(str(resources.files("portal"))) / "README.md"


def test_dids_carry_the_escaped_port() -> None:
    settings = Settings(home_port=8400, hub_port=8401, sandbox_port=8402)
    assert settings.did(Node.HOME) == "did:web:localhost%3A8400"
    assert settings.did(Node.HUB, "financeurs", "x") == "did:web:localhost%3A8401:financeurs:x"
    assert Settings(home_url="https://coffre.example").did(Node.HOME) == "did:web:coffre.example"


@pytest.mark.parametrize(
    "values",
    [
        {"home_port": 9000, "hub_port": 9000},
        {"home_url": "http://coffre.example"},
        {"home_url": "http://localhost.evil.example"},
        {"hub_url": "https://hub.example/"},
        {"hub_url": "ftp://hub.example"},
        {"host": "0.0.0.0"},
        {"identity_issuer": "https://id.example", "identity_client_id": "x"},
        {"entitlements_url": "https://rights.example", "entitlements_siret": "20099999900036"},
        {"identity_issuer": "https://id.example", "identity_client_id": "x",
         "identity_client_secret": "y", "entitlements_url": "https://rights.example",
         "entitlements_siret": "20099999900014"},
        {"identity_issuer": "http://id.example", "identity_client_id": "x",
         "identity_client_secret": "y"},
    ],
)  # fmt: skip
def test_contradictory_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsContradictionError):
        Settings(**values)


def test_a_node_is_given_these_settings_and_the_hubs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBILITY_HUB_MAIL_HOST", "smtp.example")
    monkeypatch.setenv("MOBILITY_HUB_PORT", "1")
    monkeypatch.setenv("MOBILITY_VAULT", "another")
    given = settings_environment(Settings(state=tmp_path, hub_port=9401))
    assert given["MOBILITY_HUB_MAIL_HOST"] == "smtp.example"
    assert given["MOBILITY_HUB_PORT"] == "9401"
    assert "MOBILITY_VAULT" not in given


def test_every_setting_and_verb_is_documented() -> None:
    text = README.read_text("utf-8")
    missing = [n for n in Settings.model_fields if f"`MOBILITY_{n.upper()}`" not in text]
    assert missing == []
    verbs = ["serve", "demo", "attest", "verify", "migrate", "worker"]
    verbs += [f"vault {v}" for v in ("init", "import", "list", "show", "query")]
    verbs += [f"vault {v}" for v in ("share", "export", "restore", "shred", "fsck")]
    verbs += ["connect list", "connect run"]
    verbs += [f"hub {v}" for v in ["serve", "aids", "members", "migrate", "officer", "accredit"]]
    assert [v for v in verbs if f"`mobility {v}" not in text] == []


def test_a_map_shows_its_lines_and_escapes_its_words() -> None:
    line = MapLine("bicycle", ((43.2, 2.35), (43.21, 2.4)))
    svg = trip_map([line], [Pin(43.2, 2.35, "<Chez moi>")], title='a"b', description="d")
    assert "&lt;Chez moi&gt;" in svg
    assert 'class="way m-bicycle"' in svg
    assert "<script" not in svg
    numbers = [float(n) for n in re.findall(r'[cxy]{1,2}="(-?[\d.]+)"', svg)]
    assert all(-1 <= n <= 601 for n in numbers)


def test_a_map_without_a_point_is_nothing_and_one_point_divides_by_nothing() -> None:
    assert trip_map([], [], title="t", description="d") == ""
    assert "NaN" not in trip_map([], [Pin(43.2, 2.35, "ici")], title="t", description="d")


def test_a_long_track_is_thinned_and_keeps_its_ends() -> None:
    points = tuple((43.0 + i / 100_000, 2.0 + i / 100_000) for i in range(20_000))
    svg = trip_map([MapLine("train", points)], [], title="t", description="d")
    assert len(svg) < 30_000


def test_bars_of_zero_divide_by_nothing() -> None:
    assert "width" in bars([Bar("Marche", 0, "0 km", "walk")], title="t")
    assert bars([], title="t") == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [("11800", "11397"), ("trebes", "11397"), ("TRÈBES", "11397"), ("carcassonne", "11069")],
)
def test_a_commune_is_found_by_postcode_or_name(text: str, code: str) -> None:
    assert code in {c.code for c in search(text)}


def test_departement_and_region_of_one_number_are_told_apart() -> None:
    trebes = by_code("11397")
    assert trebes is not None
    assert ("departement", "11") in trebes.codes
    assert ("region", "11") not in trebes.codes
    assert ("region", "76") in trebes.codes


@pytest.mark.parametrize("text", ["", "x", "zzzzzz", "99999"])
def test_an_unknown_commune_is_not_guessed(text: str) -> None:
    assert search(text) == []


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("200", 20_000),
        ("187,50", 18_750),
        ("187.5", 18_750),
        ("1 234,56 €", 123_456),
        ("", None),
        ("-3", None),
        ("1,234", None),
        ("dix", None),
        ("1e3", None),
        ("12345678", None),
    ],
)
def test_an_amount_is_read_exactly_or_not_at_all(text: str, cents: int | None) -> None:
    assert euros_to_cents(text) == cents


def test_a_step_shows_its_worst_check() -> None:
    t = translator("fr")
    checks = [
        {"step": 3, "code": "proof", "outcome": "pass"},
        {"step": 3, "code": "proof-invalid", "outcome": "fail"},
        {"step": 5, "code": "status-unreachable", "outcome": "cannot-tell"},
    ]
    rows = check_rows(t, checks)
    assert [(row["step"], row["css"]) for row in rows] == [(3, "fail"), (5, "tell")]
    assert "modifié" in rows[0]["text"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["confidentialite", "accessibilite"])
def test_legal_pages_are_filled_from_the_settings(name: str, language: str) -> None:
    settings = Settings(operator_name="Commune <b>d'essai</b>", operator_contact="a@b.example")
    title, body = legal_text(name, translator(language), settings)
    assert title
    assert "Commune &lt;b&gt;d&#39;essai&lt;/b&gt;" in body
    assert "a@b.example" in body
    assert "{" not in body


def test_every_cookie_is_in_the_privacy_page() -> None:
    from portal.pages.deps import KNOWN_COOKIE, VAULT_COOKIE
    from portal.pages.hub import DESK_COOKIE
    from portal.web import FORM_COOKIE, LANGUAGE_COOKIE, NOTICE_COOKIE

    _, body = legal_text("confidentialite", translator("fr"), Settings())
    cookies = (
        FORM_COOKIE, LANGUAGE_COOKIE, NOTICE_COOKIE, VAULT_COOKIE, KNOWN_COOKIE, DESK_COOKIE,
    )  # fmt: skip
    assert [c for c in cookies if c not in body] == []


def test_legal_markdown_escapes_html() -> None:
    assert "<img" not in render("# t\n\n<img src=x>\n\n- <img>\n\n| a |\n|---|\n| <img> |")


def test_the_browser_reads_only_posted_forms() -> None:
    text = (
        '<form method="get" action="/a"></form><form method="post" action="/a">'
        '<input type="hidden" name="n" value="&lt;"></form>'
    )
    answer = Answer("http://localhost/", 200, text, b"", "text/html")
    assert answer.form("/a") == {"n": "<"}
    with pytest.raises(PageError):
        answer.form("/b")


def test_the_style_sheet_is_small_and_loads_nothing_foreign() -> None:
    css = resources.files("portal.static").joinpath("coffre.css").read_text("utf-8")
    assert 10_000 < len(css.encode()) < 25_000
    assert "http" not in css
    assert "@import" not in css
