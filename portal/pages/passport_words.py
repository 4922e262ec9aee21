"""Claims of the passport as lines of words, each with its grounds: what leaves for a service, what
another account said."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from portal.context import HomeContext
from portal.glossary import CLAIMS, IDENTITY_LEVELS, LACKING
from portal.i18n import Translator
from portal.pages.checks import text_of
from portal.pages.vault import DEGREES
from vault.passport.agreeing import Part
from vault.passport.cms import DEGREE
from vault.passport.identity import GROUNDS
from vault.passport.profiles import profile_of_scope
from vault.passport.scopes import OPENID, Scope

__all__ = ["claims_left", "grounds", "label_of", "part_words", "scope_words", "value_words"]


def _known(language: str) -> str:
    return language if language in ("fr", "en") else "fr"


def scope_words(scope: Scope, which: str, language: str) -> str:
    """`title` or `consent` of a scope."""
    words: Mapping[str, str] = getattr(scope, which)
    return words[_known(language)]


def part_words(t: Translator, part: Part) -> dict[str, Any]:
    """One scope: what would leave of it, value by value with its grounds."""
    scope = part.scope
    return {
        "name": scope.name,
        "title": scope_words(scope, "title", t.language),
        "text": scope_words(scope, "consent", t.language),
        "asks": _asks(t, scope, part),
        "lacking": _lacking(t, scope, part),
        "choice": scope.name != OPENID,
        "empty": bool(scope.claims) and not part.claims,
        "rows": _Lines(t, scope, part.claims).rows(),
    }


def _asks(t: Translator, scope: Scope, part: Part) -> list[str]:
    """What a service profile asks, thing by thing, in its own words; nothing of another scope."""
    profile = profile_of_scope(scope.name)
    if profile is None:
        return []
    return [text_of(t, words) for name, words in profile.why.items() if name not in part.lacking]


def _lacking(t: Translator, scope: Scope, part: Part) -> list[str]:
    """What the vault has not of it, and why."""
    profile = profile_of_scope(scope.name)
    if profile is None:
        return []
    found = []
    for name, reason in part.lacking.items():
        code = reason.partition(":")[0]
        why = t(LACKING[code]) if code in LACKING else code
        asked = text_of(t, profile.why[name]).rstrip(".")
        found.append(t("{what} : {why}", what=asked, why=why))
    return found


class _Lines:
    """Claims of one scope as lines of words, each with its grounds where it has some."""

    def __init__(self, t: Translator, scope: Scope, claims: Mapping[str, Any]) -> None:
        self._t, self._scope = t, scope
        self._claims = {n: v for n, v in claims.items() if not n.endswith((DEGREE, GROUNDS))}
        self._grounds: dict[str, Mapping[str, Any]] = {}
        for name, value in claims.items():
            if name.endswith(GROUNDS):
                self._grounds |= value
            elif name.endswith(DEGREE):
                start = name.removesuffix(DEGREE)
                self._grounds |= {f"{start}.{field}": said for field, said in value.items()}

    def rows(self) -> list[dict[str, str]]:
        return self._of(self._claims, "")

    def _of(self, claims: Mapping[str, Any], prefix: str) -> list[dict[str, str]]:
        lines: list[dict[str, str]] = []
        for name, value in claims.items():
            path = f"{prefix}{name}"
            if isinstance(value, Mapping) and "source" in value:
                lines.append(self._line(path, _stated(value), value))
            elif isinstance(value, Mapping):
                lines += self._of(value, f"{path}.")
            elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
                for item in value:
                    if "name" in item and "value" in item:
                        lines.append(self._line(path, item, {}))
                    else:
                        lines += self._of(item, f"{prefix}")
            else:
                lines.append(self._line(path, value, {}))
        return lines

    def _line(self, path: str, value: Any, said: Mapping[str, Any]) -> dict[str, str]:
        last = path.rpartition(".")[2]
        label = label_of(self._t, self._scope, path)
        said_so = self._scope.labels.get(f"{last}.{value}")
        text = value_words(self._t, value) if said_so is None else said_so[_known(self._t.language)]
        beside = (
            self._grounds.get(path)
            or self._grounds.get(path.rpartition(".")[0])
            or self._grounds.get(f"{self._scope.claims[0]}.{last}", {})
        )
        return {
            "title": label,
            "text": text,
            "grounds": grounds(self._t, {**said, **beside}),
        }


def _stated(value: Mapping[str, Any]) -> Any:
    """The value of a field that names its source, under whichever member."""
    return next((value[m] for m in ("value", "inseeValue", "isoValue", "name") if m in value), None)


def value_words(t: Translator, value: Any) -> str:
    """A claim's value on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return t("oui") if value else t("non")
    if isinstance(value, Mapping):
        if "source" in value:
            return value_words(t, _stated(value))
        return ", ".join(value_words(t, item) for item in value.values() if item)
    if isinstance(value, list):
        return ", ".join(value_words(t, item) for item in value)
    return str(value)


def grounds(t: Translator, value: Mapping[str, Any]) -> str:
    """« relu par l'hébergeur du coffre, le 2 novembre 2026, chez … »."""
    degree = DEGREES.get(str(value.get("degree", "")))
    words = [t(degree[0])] if degree is not None else []
    level = value.get("level")
    if level:
        words.append(t("niveau {level}", level=t(IDENTITY_LEVELS.get(level, level))))
    if value.get("source"):
        words.append(str(value["source"]))
    if value.get("certificationDate"):
        at = datetime.fromisoformat(str(value["certificationDate"]))
        words.append(t.day(at.date(), "long"))
    return " · ".join(words)


def label_of(t: Translator, scope: Scope, path: str) -> str:
    """The words of a member, by its path with dots; one without words is shown as it is."""
    last = path.rpartition(".")[2]
    words = scope.labels.get(path) or scope.labels.get(last)
    if words is not None:
        return words[_known(t.language)]
    return t(CLAIMS[last]) if last in CLAIMS else last


def claims_left(t: Translator, context: HomeContext, paths: Sequence[str]) -> list[dict[str, str]]:
    """What a receipt of the passport names, in the words of the scopes; what only says how strongly
    something is certified goes without saying."""
    scopes = list(context.home.passport.scopes)
    rows = []
    for path in paths:
        if path.endswith((DEGREE, GROUNDS)):
            continue
        top, _, last = path.partition(".")
        last = last.rpartition(".")[2] or top
        scope = next((one for one in scopes if top in one.claims), None)
        found = None if scope is None else scope.labels.get(path) or scope.labels.get(last)
        if top == "sub":
            title = t("un identifiant propre à ce service, rien d'autre").partition(",")[0]
        elif found is not None:
            title = found[_known(t.language)]
        elif last in CLAIMS:
            title = t(CLAIMS[last])
        else:
            title = scope_words(scope, "title", t.language) if scope is not None else last
        rows.append({"title": title[:1].upper() + title[1:], "text": ""})
    return rows
