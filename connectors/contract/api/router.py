"""`POST /v1/news/{secret}`: an operator's signed word that an account has something new."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from connectors.contract.news import MAX_NEWS, PATH, HookGoneError, News
from connectors.push.api.router import STATUS, ProblemRoute, bounded_body
from federation.wire.errors import SignatureRefusedError
from federation.wire.problems import PROBLEM, StatusTable

__all__ = ["create_news_router"]


class NewsRoute(ProblemRoute):
    """A word that is not taken is answered so that its sender knows whether to tell it again."""

    table: ClassVar[StatusTable] = {**STATUS, SignatureRefusedError: 401, HookGoneError: 410}


def create_news_router(news: News) -> APIRouter:
    """The one route of the mobility account that is the vault's."""
    router = APIRouter(route_class=NewsRoute, tags=["news"])
    refusals: dict[int | str, dict[str, Any]] = dict.fromkeys(
        (400, 401, 410, 413, 422, 429), PROBLEM
    )

    @router.post(PATH + "/{secret}", status_code=202, responses=refusals)
    async def told(
        request: Request, secret: Annotated[str, Path(min_length=16, max_length=64)]
    ) -> JSONResponse:
        """Something changed: the account is asked at once. Signed (RFC 9421)."""
        body = await bounded_body(request, MAX_NEWS)
        headers = {name.lower(): value for name, value in request.headers.items()}
        await run_in_threadpool(news.take, secret, body, headers)
        return JSONResponse({}, status_code=202)

    return router
