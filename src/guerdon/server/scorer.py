"""A scoring process: `python -m guerdon.server.scorer FD`, started and, when it hangs, killed by the listener.

It reads runs of requests from its socket, works on a few at once in threads, and sends the replies back. When its
parent goes, it goes, with everything it started.
"""

from __future__ import annotations

import ctypes
import gc
import os
import queue
import signal
import socket
import sys
import threading
from typing import Any

from guerdon.server.answering import Answering
from guerdon.server.config import Config
from guerdon.server.frames import packed, receive
from guerdon.server.protocol import refusal
from guerdon.server.reward import load_reward, open_cache, open_workers
from guerdon.server.scoring import Scoring, sentence

PR_SET_PDEATHSIG = 1


def build(config: Config) -> Answering:
    """The reward, the workers it is graded on, and what is remembered."""
    scoring = Scoring(
        load_reward(config.reward), open_workers(_share(config)), open_cache(config.cache), merge=config.merge
    )
    return Answering(scoring, config)


def _share(config: Config) -> str | None:
    """The workers of one of the scoring processes."""
    said = config.workers or str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)
    return str(max(1, int(said) // config.scorers)) if said.isdecimal() and int(said) else said


def main(fd: int) -> None:
    """Serves the socket until the other end closes it."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the listener says when
    sock = socket.socket(fileno=fd)
    config: Config = receive(sock)
    lock = threading.Lock()

    def send(message: Any) -> None:
        with lock:
            sock.sendall(packed(message))

    try:
        answering = build(config)
        send(("loaded", answering.plan()))
        report = answering.warm()
    except Exception as error:  # noqa: BLE001 (the reward's file is the user's, and may raise anything)
        send(("broken", sentence(error)))
        return
    gc.collect()
    gc.set_threshold(50_000, 20, 50)  # records come and go by the thousand and hold no cycles
    gc.freeze()  # what is loaded stays loaded: no need to look at it again
    runs: queue.SimpleQueue = queue.SimpleQueue()
    for _ in range(config.threads):
        threading.Thread(target=_work, args=(answering, runs, send), daemon=True).start()
    send(("ready", report))
    while True:
        try:
            runs.put(receive(sock))
        except (EOFError, OSError):
            return


def _work(answering: Answering, runs: queue.SimpleQueue, send: Any) -> None:
    while True:
        number, requests = runs.get()
        try:
            replies = answering.answer(requests)
        except Exception as error:  # noqa: BLE001 (a fault of ours is answered too, and the next run goes on)
            replies = [refusal(500, f"serve: {sentence(error)}")] * len(requests)
        send((number, replies))


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:  # it went before we asked
            os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # threads that hang hold nothing up
