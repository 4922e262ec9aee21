"""A home as a server process: `uvicorn tests.e2e.home_server:create_app --factory`.

The folder comes from the environment, so that several workers open the same home.
"""

import os
from pathlib import Path

from fastapi import FastAPI

from federation.wire import problems
from federation.wire.limits import BodyLimit, SecurityHeaders
from vault.app import BODY_LIMITS, STATUS, create_home_api
from vault.home import Home
from vault.settings import HomeSettings

FOLDER = "MOBILITY_E2E_FOLDER"
URL = "MOBILITY_E2E_DATABASE"


def settings(folder: Path, url: str | None = None) -> HomeSettings:
    """The settings of server and test alike."""
    return HomeSettings(
        folder=folder,
        did="did:web:localhost%3A8400",
        database_url=url,
        sessions_url=url,
        cheapest_kdf_for_tests=True,
        allow_loopback=True,
    )


def create_app() -> FastAPI:
    """The application of one worker."""
    home = Home.open(settings(Path(os.environ[FOLDER]), os.environ.get(URL) or None))
    app = FastAPI(docs_url=None, redoc_url=None)
    problems.install(app, STATUS)
    app.include_router(create_home_api(home))
    app.add_middleware(BodyLimit, paths=BODY_LIMITS)
    app.add_middleware(SecurityHeaders)
    return app
