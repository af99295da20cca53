"""The keeper by itself: it forks, it ends what workers leave, it ends with its parent."""

import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

from guerdon.evidence.crew import PROGRAM
from guerdon.evidence.pool import can

pytestmark = pytest.mark.skipif(not can(), reason="a keeper needs Linux")


@pytest.fixture
def kept():
    """A keeper: the process, and what to say to it and hear from it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    board = os.memfd_create("board")
    os.ftruncate(board, mmap.PAGESIZE)
    given = json.dumps([theirs.fileno(), board, os.getpid(), 0, [], sys.path])
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, given], pass_fds=(theirs.fileno(), board))
    theirs.close()
    ours.settimeout(30)
    yield process, ours
    ours.close()
    process.kill()
    process.wait()
    os.close(board)


def hire(control, slot=0):
    ours, theirs = socket.socketpair()
    socket.send_fds(control, [json.dumps({"spawn": slot}).encode()], [theirs.fileno()])
    theirs.close()
    message, fds, _, _ = socket.recv_fds(control, 4096, 1)
    return json.loads(message), fds[0], ours


def leads_a_session(pid, within=10.0):
    """Whether it comes to that: a worker is told of before it has set itself apart."""
    until = time.monotonic() + within
    while os.getsid(pid) != pid and time.monotonic() < until:
        time.sleep(0.002)
    return os.getsid(pid) == pid


def ended(pidfd, within=5.0):
    return bool(select.select([pidfd], [], [], within)[0])


def test_workers_are_forked_handed_over_and_their_ends_are_told(kept):
    _, control = kept
    control.send(json.dumps({"prepare": ["no_such_module", "json"], "path": []}).encode())  # does not end it
    said, pidfd, link = hire(control)
    assert said["spawned"] == 0 and leads_a_session(said["pid"])
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert json.loads(control.recv(4096)) == {"died": 0, "pid": said["pid"], "status": 9, "signal": True}
    link.close()
    os.close(pidfd)
    said, pidfd, link = hire(control, 1)
    link.close()  # on which a worker ends by itself
    assert json.loads(control.recv(4096)) == {"died": 1, "pid": said["pid"], "status": 0, "signal": False}
    os.close(pidfd)


def test_it_and_its_workers_end_when_it_is_hung_up_on(kept):
    process, control = kept
    _, pidfd, _link = hire(control)
    control.close()
    assert process.wait(10) == 0 and ended(pidfd)
    os.close(pidfd)


def test_its_workers_end_when_it_is_killed(kept):
    process, control = kept
    _, pidfd, _link = hire(control)
    process.kill()
    assert ended(pidfd)
    os.close(pidfd)


def test_a_worker_that_is_too_young_for_a_group_of_its_own_ends_too(kept):
    process, control = kept
    hires = [hire(control, slot) for slot in range(8)]
    control.close()  # the last of them have not set themselves apart yet
    assert process.wait(10) == 0
    for _, pidfd, _link in hires:
        assert ended(pidfd)
        os.close(pidfd)


def test_where_no_descriptor_came_it_says_so_and_goes_on(kept):
    _, control = kept
    control.send(json.dumps({"spawn": 0}).encode())
    assert "Too many open files" in json.loads(control.recv(4096))["why"]
    said, pidfd, _link = hire(control, 1)
    assert said["spawned"] == 1
    os.close(pidfd)
