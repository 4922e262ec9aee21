"""The real `publicodes` engine in V8 (mini-racer), and seeded situations to compare with.

The npm package is a dependency of the bicycle model; nothing of it runs outside tests.
"""

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from py_mini_racer import MiniRacer

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "node_modules" / "publicodes" / "dist" / "index.cjs"

_SHIM = """
var module = {exports: {}}, exports = module.exports;
var quiet = {log() {}, warn() {}, error() {}};
var console = quiet;
"""
_ASK = """
var Engine = module.exports.default || module.exports;
var engine = null;
function load(text, options) {
  engine = new Engine(JSON.parse(text), {logger: quiet, ...options});
  return true;
}
function one(name) {
  try {
    const found = engine.evaluate(name);
    const value = found.nodeValue;
    return [value === undefined ? "undefined" : value, Object.keys(found.missingVariables)];
  } catch (error) { return ["error", String(error.message).slice(0, 300)]; }
}
function ask(text) {
  const {situation, names} = JSON.parse(text);
  try { engine.setSituation(situation); }
  catch (error) { return JSON.stringify({error: String(error.message).slice(0, 300)}); }
  return JSON.stringify(names.map(one));
}
"""


class Publicodes:
    """One V8 with one loaded model."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._racer = MiniRacer()
        self._racer.eval(_SHIM + BUNDLE.read_text(encoding="utf-8") + _ASK)
        self._racer.call("load", json.dumps(rules), {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._racer.close()

    def evaluate(
        self, situation: Mapping[str, Any], names: Iterable[str]
    ) -> list[tuple[Any, list[str]]]:
        """(value, missing names) of each rule: `undefined` and `error` as those words."""
        text = json.dumps({"situation": situation, "names": list(names)})
        answer = json.loads(str(self._racer.call("ask", text)))
        if isinstance(answer, dict):
            raise ValueError(answer["error"])
        return [(value, missing) for value, missing in answer]


# Every question of the bicycle model that anybody may answer, beside the local yes/no ones.
_NUMBERS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "demandeur . âge": ("an", (7, 12, 15, 17, 18, 25, 26, 40, 65, 80)),
    "foyer . personnes": ("personne", (1, 2, 3, 4, 7)),
    "revenu fiscal de référence par part . revenu de référence": (
        "€/an",
        (0, 1, 6300, 10000, 15400, 21000.5, 35052, 80000),
    ),
    "revenu fiscal de référence par part . nombre de parts": ("", (1, 1.5, 2, 2.5, 3, 5)),
    "vélo . prix": ("€", (1, 99.9, 300, 699, 1000, 1499.99, 2500, 4000, 6000)),
}
_DIRECT = "revenu fiscal de référence par part"


def situations(
    rules: Mapping[str, Any],
    localisations: Mapping[str, Any],
    *,
    count: int,
    seed: int,
) -> Iterable[dict[str, Any]]:
    """`count` situations: each answers a random part of the questions of a random place."""
    draw = random.Random(seed)
    places = sorted(localisations)
    yes_no = [
        name
        for name, rule in rules.items()
        if isinstance(rule, dict)
        and rule.get("question")
        and "une possibilité" not in rule
        and name not in _NUMBERS
        and rule.get("type", "booléen") in ("booléen", "boolean")
        and name != "vélo . prix"
    ]
    choices = {
        name: rule["une possibilité"]
        for name, rule in rules.items()
        if isinstance(rule, dict) and "une possibilité" in rule
    }
    for _ in range(count):
        situation: dict[str, Any] = {}
        place = localisations[draw.choice(places)]
        if draw.random() < 0.95:
            situation |= _place(place, draw)
        for name, values in choices.items():
            if name != "localisation . pays" and draw.random() < 0.7:
                situation[name] = f"'{draw.choice(values)}'"
        for name, (unit, values) in _NUMBERS.items():
            if draw.random() < 0.7:
                value = draw.choice(values)
                situation[name] = f"{value} {unit}".strip() if draw.random() < 0.8 else value
        if draw.random() < 0.25:
            situation = {k: v for k, v in situation.items() if not k.startswith(_DIRECT)}
            situation[_DIRECT] = f"{draw.choice((0, 6358, 14089, 15400, 21000))} €/an"
        for name in yes_no:
            if draw.random() < 0.4:
                situation[name] = draw.choice(("oui", "non"))
        if draw.random() < 0.1:
            situation["maximiser les aides"] = "oui"
        yield situation


def _place(place: Mapping[str, Any], draw: random.Random) -> dict[str, str]:
    collectivity = place["collectivity"]
    kind, value = collectivity["kind"], str(collectivity["value"])
    found = {
        "localisation . région": place.get("region") or draw.choice(("11", "76", "44", "93")),
        "localisation . département": place.get("departement") or draw.choice(("75", "34", "01")),
        "localisation . code insee": place.get("codeInsee") or "75056",
    }
    match kind:
        case "région":
            found["localisation . région"] = value
        case "département":
            found["localisation . département"] = value
        case "epci":
            found["localisation . epci"] = value
        case "code insee":
            found["localisation . code insee"] = value
        case "pays":
            found["localisation . code insee"] = {"monaco": "99138", "luxembourg": "99137"}.get(
                value, "75056"
            )
    return {name: f"'{text}'" for name, text in found.items()}


_MECHANISMS = (
    "somme",
    "produit",
    "le maximum de",
    "le minimum de",
    "toutes ces conditions",
    "une de ces conditions",
    "variations",
    "barème",
    "grille",
    "plafond",
    "plancher",
    "abattement",
    "arrondi",
    "applicable si",
    "non applicable si",
    "par défaut",
    "est non applicable",
    "durée",
    "operation",
)


def random_model(draw: random.Random, *, size: int = 14) -> dict[str, Any]:
    """A small model over all mechanisms: questions, then rules that read what stands above them.

    No two rules answer each other and no unit is mixed: what our importer refuses on purpose is
    tested elsewhere.
    """
    rules: dict[str, Any] = {
        "n1": {"question": "?", "type": "nombre"},
        "n2": {"question": "?", "type": "nombre", "par défaut": 7},
        "o1": {"question": "?", "type": "booléen"},
        "o2": {"question": "?", "type": "booléen", "par défaut": "non"},
        "j1": {"question": "?", "type": "date"},
    }
    numbers, yes_no = ["n1", "n2"], ["o1", "o2"]

    def number() -> str:
        return draw.choice([*numbers, *numbers, str(draw.randint(0, 30))])

    def condition() -> Any:
        kind = draw.randint(0, 3)
        if kind == 0:
            return draw.choice(yes_no)
        if kind == 1:
            return f"{number()} {draw.choice(('<', '<=', '>', '>=', '=', '!='))} {number()}"
        if kind == 2:
            return {"est non applicable": draw.choice(numbers)}
        return draw.choice(("oui", "non"))

    def lines(gives: str) -> list[dict[str, Any]]:
        ends = sorted(draw.sample(range(1, 60), 3))
        found = [
            {gives: f"{draw.randint(0, 50)} %" if gives == "taux" else number(), "plafond": end}
            for end in ends
        ]
        if draw.random() < 0.5:
            del found[-1]["plafond"]
        return found

    for index in range(size):
        name = f"r{index}"
        if index > 3 and draw.random() < 0.3:
            name = f"{draw.choice([n for n in rules if n[0] in 'ro'])} . {name}"
        mechanism = draw.choice(_MECHANISMS)
        value: dict[str, Any] = {"valeur": number()}
        match mechanism:
            case "somme" | "le maximum de" | "le minimum de" | "produit":
                value = {mechanism: [number() for _ in range(draw.randint(1, 4))]}
            case "toutes ces conditions" | "une de ces conditions":
                value = {mechanism: [condition() for _ in range(draw.randint(1, 3))]}
            case "variations":
                value = {
                    "variations": [
                        *({"si": condition(), "alors": number()} for _ in range(2)),
                        *([{"sinon": number()}] if draw.random() < 0.6 else []),
                    ]
                }
            case "barème" | "grille":
                gives = "taux" if mechanism == "barème" else "montant"
                value = {mechanism: {"assiette": number(), "tranches": lines(gives)}}
                if draw.random() < 0.3:
                    value[mechanism]["multiplicateur"] = draw.randint(1, 3)
            case "applicable si" | "non applicable si":
                value[mechanism] = condition()
            case "est non applicable":
                value = {mechanism: draw.choice(numbers)}
            case "durée":
                unit = draw.choice(("jour", "mois", "an", "trimestre civil", "année civile"))
                value = {"durée": {"depuis": "29/02/2024", "jusqu'à": "j1", "unité": unit}}
            case "operation":
                value = {"valeur": f"{number()} {draw.choice('+-*')} {number()}"}
            case _:
                value[mechanism] = "oui" if mechanism == "arrondi" else number()
        rules[name] = value
        is_boolean = mechanism in (
            "toutes ces conditions",
            "une de ces conditions",
            "est non applicable",
        )
        (yes_no if is_boolean else numbers).append(name)
    return rules


def random_answers(draw: random.Random) -> dict[str, Any]:
    """Some of the questions of `random_model`, answered."""
    every: dict[str, Any] = {
        "n1": draw.choice((0, 1, 5, 12.5, 40, 100)),
        "n2": draw.choice((0, 3, 33)),
        "o1": draw.choice(("oui", "non")),
        "o2": draw.choice(("oui", "non")),
        "j1": draw.choice(("01/01/2020", "28/02/2025", "01/03/2028", "31/12/2031")),
    }
    return {name: value for name, value in every.items() if draw.random() < 0.6}
