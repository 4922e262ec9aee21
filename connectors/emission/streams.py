"""What an e-mission account has: trips and labels, each with its cursor and how far back a pull
looks again."""

from datetime import timedelta
from typing import Final

from connectors.base import Stream

LOOKBACK: Final = timedelta(days=35)
"""Labels rewrite a trip in place without touching `write_ts`, and a pipeline reset writes days
again: each pull starts again 35 days before its cursor (the notes ask for at least 30; five more
for a source that was down)."""

LABEL_LOOKBACK: Final = timedelta(days=2)
"""Labels carry the phone's clock in `write_ts`; two days cover clock skew and a phone that sent
late."""

TRIPS: Final = Stream(
    name="trips",
    kinds=("Trip",),
    identity=("_id", "data.cleaned_trip"),
    cursor_field="metadata.write_ts",
    lookback=LOOKBACK,
)
LABELS: Final = Stream(
    name="labels",
    kinds=("Trip",),
    identity=("_id",),
    cursor_field="metadata.write_ts",
    lookback=LOOKBACK + LABEL_LOOKBACK,
)
STREAMS: Final = (TRIPS, LABELS)

__all__ = ["LABELS", "LOOKBACK", "STREAMS", "TRIPS"]
