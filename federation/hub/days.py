"""Days as people write them, for what the hub says in both languages."""

from datetime import date

from babel.dates import format_date

__all__ = ["day_in_words"]


def day_in_words(value: object, language: str) -> str:
    """« 1er décembre 2026 », “1 December 2026”, of a date or of its ISO text; what is neither stays
    as it is: it came from somewhere else."""
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value)[:10])
    except ValueError:
        return str(value)
    if language != "fr":
        return format_date(day, "d MMMM y", locale="en_GB")
    shown = format_date(day, "d MMMM y", locale="fr_FR")
    return f"1er{shown[1:]}" if day.day == 1 else shown
