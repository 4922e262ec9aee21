"""The zones that a home knows: the operator's files where they are mounted, else what ships."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from federation.aids.errors import ZoneFileError
from federation.aids.zones import MAX_FILE, ZoneBook, mounted_zones, shipped_zones
from portal.errors import SettingsContradictionError

__all__ = ["zones_of"]

MOST_FILES: Final = 50


def zones_of(path: Path | None) -> ZoneBook:
    """The book of a file or folder of GeoJSON « aires », dated by its newest file; without one,
    the shipped facts.

    Raises:
        SettingsContradictionError: the path is not there, holds no such file or too many, or a
            file is not of the schema. A home that would answer from nothing does not start.
    """
    if path is None:
        return shipped_zones()
    files = sorted(path.glob("*.geojson")) if path.is_dir() else [path]
    if not 1 <= len(files) <= MOST_FILES or not all(file.is_file() for file in files):
        raise SettingsContradictionError("zones", f"1 to {MOST_FILES} .geojson files are expected")
    if any(file.stat().st_size > MAX_FILE for file in files):
        raise SettingsContradictionError("zones", f"a file of over {MAX_FILE} bytes")
    try:
        return mounted_zones(
            {file.name: file.read_bytes() for file in files}, as_of=max(map(_day, files))
        )
    except ZoneFileError as error:
        raise SettingsContradictionError("zones", str(error)) from error


def _day(file: Path) -> date:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).date()
