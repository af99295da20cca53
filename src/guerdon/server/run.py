"""Listening until told to stop: SIGTERM lets what is under way finish, then the process ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from guerdon.errors import MissingExtraError, RunFolderError
from guerdon.server.config import Config

MARGIN = 1.0  # seconds that the last replies have to be written, after the grace


def serve(
    config: Config,
    say: Callable[[str], None] = lambda url: None,
    as_json: bool = False,
    tell: Callable[[str], None] = lambda said: None,
) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        say: told the URL once it listens.
        as_json: print one JSON object with the address once it listens, for programs.
        tell: told what the operator has to know, once: why the reward cannot be served, what a long self-test waits
            for, that it scored nothing; /ready says these too.

    Raises:
        MissingExtraError: the extra `server` is not installed.
        RunFolderError: the address cannot be listened on.
    """
    try:
        from guerdon.server.app import hot, make_app

        import_module("uvicorn")  # what `_server` needs is missed before anything is said
    except ImportError as error:
        raise MissingExtraError(
            f"serve: {error.name} is not installed; the server needs the extra server; "
            "run: pip install 'guerdon[server]'"
        ) from error
    app = make_app(config)
    app.state.line.tell = tell
    sock = _listen(config)
    host, port = sock.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    say(url)
    if as_json:
        sys.stdout.write(json.dumps({"url": url, "host": host, "port": port}) + "\n")
        sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGINT):  # raised once more when the server has ended: to end well then
        signal.signal(number, lambda *_: None)
    server = _server(app, hot(app, config), config)
    asyncio.run(server.serve([sock]))


def _server(app: Any, asgi: Any, config: Config) -> Any:
    import uvicorn

    class Draining(uvicorn.Server):
        """Tells the line when the end begins, so that it hands out nothing that cannot finish."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            app.state.line.drain()
            super().handle_exit(sig, frame)

    return Draining(
        uvicorn.Config(
            asgi, log_level="warning", access_log=False, lifespan="on", timeout_keep_alive=75, backlog=2048,
            timeout_graceful_shutdown=int(config.grace + MARGIN + 1), server_header=False,
        )
    )  # fmt: skip


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    sock = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # asyncio turns Nagle off only where it says so
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((config.host, config.port))
        sock.listen(2048)  # from here on who connects waits, and is not turned away
    except (OSError, OverflowError) as error:
        sock.close()
        raise RunFolderError(
            f"serve: cannot listen on {config.host}:{config.port} ({error}); a free address of this machine is needed; "
            "give another --port, or 0 for any, or another --host"
        ) from error
    return sock
