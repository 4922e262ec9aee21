"""The operator's own database, read by a query."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from connectors.errors import ConnectorError
from connectors.issuer.settings import IssuerSettingsError, Source
from schemas.errors import Retriable

__all__ = ["SourceDatabaseError", "rows_of"]

MAX_ROWS: Final = 100_000
"""Of one answer; the next look goes on from `:since`."""


class SourceDatabaseError(ConnectorError, Retriable):
    """The operator's database did not answer, or not this query. Its own words are not repeated:
    they hold values."""

    code: ClassVar[str] = "source-database"
    retry_after_s = 60


def rows_of(source: Source, *, since: datetime) -> list[Mapping[str, Any]]:
    """Rows of the source's query, in its order; `:since` is bound when the query names it.

    Raises:
        IssuerSettingsError: the environment variable is not set. SourceDatabaseError.
    """
    url = os.environ.get(source.database)
    if not url:
        raise IssuerSettingsError(f"source {source.name}", f"{source.database} is not set")
    bound = {"since": since} if ":since" in source.query else {}
    try:
        engine = create_engine(url, hide_parameters=True)
        try:
            with engine.connect() as connection:
                found = connection.execute(text(source.query), bound)
                return [dict(row._mapping) for row in found.fetchmany(MAX_ROWS)]
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise SourceDatabaseError(f"{source.name}: {type(error).__name__}") from None
