"""Units, in the type: metres, seconds, cents, grams of CO2 equivalent. Integers only."""

from typing import Literal, NewType

Metres = NewType("Metres", int)
Seconds = NewType("Seconds", int)
Cents = NewType("Cents", int)
GramsCO2e = NewType("GramsCO2e", int)
Lang = Literal["fr", "en"]

_NNBSP, _NBSP = "\u202f", "\u00a0"


def _thousands(number: int, lang: Lang) -> str:
    return f"{number:,}".replace(",", _NNBSP) if lang == "fr" else f"{number:,}"


def format_distance(distance: Metres, lang: Lang = "fr") -> str:
    """Metres under one kilometre, else kilometres to one decimal (`12,4 km`, `12.4 km`)."""
    if abs(distance) < 1000:
        return f"{distance}{_NBSP}m"
    sign, rest = ("-" if distance < 0 else ""), abs(distance)
    tenths = (rest + 50) // 100
    whole, tenth = divmod(tenths, 10)
    point = "," if lang == "fr" else "."
    return f"{sign}{_thousands(whole, lang)}{point}{tenth}{_NBSP}km"


def format_amount(amount: Cents, lang: Lang = "fr", currency: str = "EUR") -> str:
    """`1 234,50 €` or `€1,234.50`; whole euros keep their cents."""
    sign, rest = ("-" if amount < 0 else ""), abs(amount)
    whole, cents = divmod(rest, 100)
    symbol = {"EUR": "€"}.get(currency, currency)
    if lang == "fr":
        return f"{sign}{_thousands(whole, lang)},{cents:02d}{_NBSP}{symbol}"
    space = "" if len(symbol) == 1 else _NBSP
    return f"{sign}{symbol}{space}{_thousands(whole, lang)}.{cents:02d}"


def format_emission(grams: GramsCO2e, lang: Lang = "fr") -> str:
    """Grams under one kilogram, else kilograms to one decimal, of CO2 equivalent."""
    unit = "CO₂e"
    if abs(grams) < 1000:
        return f"{grams}{_NBSP}g{_NBSP}{unit}"
    sign, rest = ("-" if grams < 0 else ""), abs(grams)
    whole, tenth = divmod((rest + 50) // 100, 10)
    point = "," if lang == "fr" else "."
    return f"{sign}{_thousands(whole, lang)}{point}{tenth}{_NBSP}kg{_NBSP}{unit}"


__all__ = [
    "Cents",
    "GramsCO2e",
    "Lang",
    "Metres",
    "Seconds",
    "format_amount",
    "format_distance",
    "format_emission",
]
