"""Python's search for garbage in cycles, put off while a slice of work makes much that stays.

The search runs each time some hundred objects were made, and looks at everything there is each time
a quarter more of it stayed: in a drain, whose objects hold one another in no cycle, it takes an
eighth of the time and finds nothing. A slice is short and bounded, so what another thread leaves in
cycles meanwhile waits for milliseconds.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["put_off"]


class _Collector:
    """How many slices of this process are at work, in all its threads."""

    def __init__(self) -> None:
        self.lock, self.slices, self.was_enabled = threading.Lock(), 0, True


_COLLECTOR: Final = _Collector()


@contextmanager
def put_off() -> Iterator[None]:
    """No collection until the last slice that asked for it has ended, however it ends."""
    collector = _COLLECTOR
    with collector.lock:
        if collector.slices == 0:
            collector.was_enabled = gc.isenabled()
            gc.disable()
        collector.slices += 1
    try:
        yield
    finally:
        with collector.lock:
            collector.slices -= 1
            if collector.slices == 0 and collector.was_enabled:
                gc.enable()
