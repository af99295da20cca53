"""The HTTP side: routes, who may ask, and what is counted. Nothing is scored in this process."""

from __future__ import annotations

import asyncio
import html
import json
import time
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response

from guerdon.server.config import Config
from guerdon.server.limits import allowed, body_of, too_many, too_slow, unauthorised
from guerdon.server.line import Line
from guerdon.server.metrics import Metrics
from guerdon.server.protocol import Protocol, Reply, encoded, refusal
from guerdon.server.routes import ROUTES

GONE_AFTER = 0.05  # seconds after which it is worth looking whether the client is still there
UNTOLD = frozenset(("/health", "/ready"))  # asked by machines that know no token; they tell nothing of what is scored
GONE = Reply(499, b"")  # nobody reads it
STATUSES = {
    "400": "the body is not JSON", "401": "the token is missing or wrong", "408": "the body did not arrive in time",
    "413": "the body is too long",
    "422": "the body is not what the route takes", "429": "too many requests at once: see Retry-After",
    "503": "unscored, or not ready: see Retry-After", "504": "not done within the server's timeout",
}  # fmt: skip


def make_app(config: Config) -> FastAPI:
    """The application, for an ASGI server. Its `state.line` is what `drain` is told to."""
    line = Line(config)
    metrics = Metrics(lambda: line.in_flight)
    line.on_restart = metrics.restarts.inc

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        await line.start()
        yield
        await line.stop()

    app = FastAPI(
        title="Guerdon reward server", summary=f"Scores plays with {config.reward}.", docs_url=None, redoc_url=None,
        lifespan=lifespan, openapi_tags=[{"name": "score"}, {"name": "state"}], redirect_slashes=False,
        exception_handlers={404: _no_route, 405: _no_route},
    )  # fmt: skip
    app.state.line, app.state.metrics = line, metrics
    for route in ROUTES.values():
        _add(app, route, config, line, metrics)
    _add_state(app, config, line, metrics)
    return app


async def _no_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return _response(
        refusal(
            status,
            f"there is no {request.method} {request.url.path[:200]}; POST {', '.join(ROUTES)}, or GET /health, /ready, "
            "/metrics is needed; see /docs",
        )
    )


def hot(app: FastAPI, config: Config) -> Any:
    """The application with the routes that score in front of it: what FastAPI does for a request they do not need."""
    line, metrics = app.state.line, app.state.metrics

    async def answer(scope: dict, receive: Any, send: Any) -> None:
        route = ROUTES.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None:
            await app(scope, receive, send)
            return
        reply = await _timed(Request(scope, receive), route, config, line, metrics)
        await _response(reply)(scope, receive, send)

    return answer


def _add(app: FastAPI, route: Protocol, config: Config, line: Line, metrics: Metrics) -> None:
    async def endpoint(request: Request):
        return _response(await _timed(request, route, config, line, metrics))

    app.add_api_route(
        route.path,
        endpoint,
        methods=["POST"],
        summary=route.about,
        tags=["score"],
        name=route.path.strip("/"),
        response_model=None,
        responses=_documented(route),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": route.request}}}},
    )


async def _timed(request: Request, route: Protocol, config: Config, line: Line, metrics: Metrics) -> Reply:
    began = time.perf_counter()
    reply = await _answered(request, route, config, line, metrics)
    metrics.replied(route.path, reply, time.perf_counter() - began)
    return reply


def _documented(route: Protocol) -> dict[str, Any]:
    error = {"application/json": {"schema": {"type": "object", "properties": {"detail": {"type": "string"}}}}}
    said = {status: {"description": about, "content": error} for status, about in STATUSES.items()}
    return {"200": {"description": "the answers", "content": {"application/json": {"schema": route.reply}}}, **said}


async def _answered(request: Request, route: Protocol, config: Config, line: Line, metrics: Metrics) -> Reply:
    if not _known(request, config):
        return unauthorised()
    if line.in_flight >= config.in_flight:
        return too_many(config)
    try:
        async with asyncio.timeout(config.timeout) as patience:
            line.arriving.add(patience)
            body = await body_of(request, config)
    except ClientDisconnect:
        metrics.gone.labels(route.path).inc()
        return GONE
    except TimeoutError:
        return too_slow(config)
    finally:
        line.arriving.discard(patience)
    if isinstance(body, Reply):
        return body
    if line.in_flight >= config.in_flight:  # bodies take time, and others came meanwhile
        return too_many(config)
    job = line.put(route.path, body)
    watch = _Watch(request, job.reply)
    try:
        reply = await job.reply
    finally:
        watch.stop()
        job.reply.cancel()
    if reply.status == GONE.status:
        metrics.gone.labels(route.path).inc()
    return reply


class _Watch:
    """Gives up a reply when its client has gone; it begins to look only when the reply takes a while."""

    def __init__(self, request: Request, reply: asyncio.Future) -> None:
        self.request, self.reply = request, reply
        self.task: asyncio.Task | None = None
        self.timer = reply.get_loop().call_later(GONE_AFTER, self._begin)

    def stop(self) -> None:
        self.timer.cancel()
        if self.task is not None:
            self.task.cancel()

    def _begin(self) -> None:
        self.task = self.reply.get_loop().create_task(self._look())

    async def _look(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass
        if not self.reply.done():
            self.reply.set_result(GONE)


def _known(request: Request, config: Config) -> bool:
    return not config.token or allowed(
        config.token, request.headers.get("authorization", ""), request.query_params.get("token", "")
    )


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, reply.headers, "application/json")


def _add_state(app: FastAPI, config: Config, line: Line, metrics: Metrics) -> None:
    def said(status: int, obj: Any) -> Any:
        return Response(encoded(obj), status, media_type="application/json")

    @app.get("/health", tags=["state"], summary="200 while this process answers at all.", response_model=None)
    async def health():
        return said(200, {"health": "ok"})

    @app.get("/ready", tags=["state"], summary="200 once the reward graded a probe; 503 before, and while draining.",
             response_model=None)  # fmt: skip
    async def ready():
        fine, about = line.ready()
        return said(200 if fine else 503, {"ready": fine, **about})

    @app.get("/metrics", tags=["state"], summary="Counts and latencies, for Prometheus.", response_model=None)
    async def counts(request: Request):
        if not _known(request, config):
            return _response(unauthorised())
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/seed_session", tags=["state"], summary="NeMo-Gym: sessions hold nothing here.", response_model=None)
    async def seed_session(request: Request):
        return said(200, {}) if _known(request, config) else _response(unauthorised())

    @app.get("/docs", include_in_schema=False)
    async def docs():
        return HTMLResponse(page(app.openapi()))


def page(schema: dict[str, Any]) -> str:
    """The routes on one page that needs nothing from elsewhere.

    Example:
        >>> "POST /x" in page({"info": {"title": "T"}, "paths": {"/x": {"post": {"summary": "S"}}}})
        True
    """
    e = html.escape
    rows = []
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            body = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            shown = (
                f"<details><summary>body</summary><pre>{e(json.dumps(body, indent=2))}</pre></details>" if body else ""
            )
            codes = "".join(
                f"<li><b>{e(str(code))}</b> {e(said.get('description', ''))}</li>"
                for code, said in sorted(about.get("responses", {}).items())
            )
            rows.append(
                f"<h2>{e(method.upper())} {e(path)}</h2><p>{e(about.get('summary', ''))}</p>{shown}<ul>{codes}</ul>"
            )
    title, summary = e(schema["info"]["title"]), e(schema["info"].get("summary", ""))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:46em;margin:2em auto;padding:0 1em}"
        "h2{font:600 1em monospace;margin-top:2em}pre{background:#f4f4f4;padding:1em;overflow:auto}</style>"
        f"<h1>{title}</h1><p>{summary} The schema is <a href=openapi.json>openapi.json</a>.</p>{''.join(rows)}"
    )
