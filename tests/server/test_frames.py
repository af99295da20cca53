"""Messages between our processes."""

import asyncio
import socket

import pytest

from guerdon.server.frames import areceive, packed, receive


def test_messages_come_as_they_went_however_long():
    messages = [("a", b"x" * 300_000), None, {"n": 1}]

    async def both():
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        for message in messages:
            theirs.setblocking(True)
            sending = asyncio.to_thread(theirs.sendall, packed(message))
            assert (await asyncio.gather(areceive(reader), sending))[0] == message
            writer.write(packed(message))
            assert await asyncio.to_thread(receive, theirs) == message
        writer.close()
        with pytest.raises(EOFError):
            await asyncio.to_thread(receive, theirs)
        theirs.close()

    asyncio.run(both())
