"""A process that runs a home's blind jobs. It holds no session: open jobs are refused."""

from collections.abc import Callable

from federation.wire.jobs import Runner
from vault.home import Home
from vault.settings import HomeSettings

__all__ = ["open_runner"]


def open_runner(
    settings: HomeSettings, *, prepare: Callable[[Home], None] | None = None
) -> Callable[[], Runner]:
    """The factory a worker is given for the store `home`: opens it in the worker's own process.

    `prepare` gives the home its hub and the handlers of other packages. The database is not
    migrated: a worker of another version stops with `schema-version`.
    """

    def make() -> Runner:
        home = Home.open(settings, migrate=False)
        if prepare is not None:
            prepare(home)
        return home.runner()

    return make
