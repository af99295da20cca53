"""Messages between the process that listens and those that score: a length, then one pickled object.

Both ends are ours, on a socket pair that nothing else has, so pickle reads only what we wrote.
"""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

HEAD = struct.Struct("<Q")


def packed(message: Any) -> bytes:
    """The message as bytes."""
    data = pickle.dumps(message, protocol=5)
    return HEAD.pack(len(data)) + data


def receive(sock: socket.socket) -> Any:
    """The next message. EOFError where the other end is gone."""
    (size,) = HEAD.unpack(_exactly(sock, HEAD.size))
    return pickle.loads(_exactly(sock, size))


def _exactly(sock: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        n = sock.recv_into(view[got:])
        if not n:
            raise EOFError
        got += n
    return data


async def areceive(reader: Any) -> Any:
    """The next message of an asyncio stream. IncompleteReadError where the other end is gone."""
    (size,) = HEAD.unpack(await reader.readexactly(HEAD.size))
    return pickle.loads(await reader.readexactly(size))
