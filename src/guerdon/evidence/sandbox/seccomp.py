"""The filter of system calls, as BPF for x86_64 and aarch64, without libseccomp.

What is refused is what a graded program has no business with and what has opened kernels before: tracing, other
namespaces, mounts, keys, io_uring, bpf, perf events, user faults, System V and POSIX queues, memory files (which no
limit counts), every socket that is not a local one (AF_VSOCK reaches the host from a guest, AF_ALG and AF_PACKET are
old ways in). Pipes and sockets keep the size that they have: what waits in them is memory of the kernel's, and sixty
descriptors could hold hundreds of megabytes. With one process, fork is refused too, and every socket but a pair;
threads are let through. `clone3` and every call newer than this table is answered ENOSYS, so that the C library falls
back to what can be looked at; so are x32 calls, whose numbers are above the table, and a call by another architecture's
way in kills the program.

The numbers are the kernel's (asm/unistd_64.h and asm-generic/unistd.h).
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass

from guerdon.evidence.sandbox.base import SandboxFault

EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NR, ARCH, ARG0, ARG1, ARG2 = (
    0,
    4,
    16,
    24,
    32,
)  # offsets in seccomp_data; of an argument, its low word (both are little-endian)
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
THREAD = 0x00010000  # CLONE_THREAD
NEWEST = 450  # the last call that the tables below know


@dataclass(frozen=True)
class Machine:
    """One architecture: its audit number and its call numbers."""

    audit: int
    refused: dict[str, int]
    missing: dict[str, int]  # answered ENOSYS, for which programs have another way
    forks: dict[str, int]
    clone: int
    socket: tuple[int, int]
    personality: int
    ioctl: int
    prlimit: int
    fcntl: int
    setsockopt: int


def _numbers(text: str) -> dict[str, int]:
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        refused=_numbers(
            "ptrace 101 process_vm_readv 310 process_vm_writev 311 kcmp 312 pidfd_getfd 438 unshare 272 setns 308 "
            "mount 165 umount2 166 pivot_root 155 chroot 161 move_mount 429 open_tree 428 fsopen 430 fsconfig 431 "
            "fsmount 432 fspick 433 mount_setattr 442 swapon 167 swapoff 168 reboot 169 sethostname 170 "
            "setdomainname 171 init_module 175 finit_module 313 delete_module 176 kexec_load 246 kexec_file_load 320 "
            "bpf 321 perf_event_open 298 userfaultfd 323 add_key 248 request_key 249 keyctl 250 acct 163 "
            "quotactl 179 quotactl_fd 443 syslog 103 settimeofday 164 clock_settime 227 iopl 172 ioperm 173 "
            "modify_ldt 154 lookup_dcookie 212 nfsservctl 180 uselib 134 _sysctl 156 vhangup 153 "
            "name_to_handle_at 303 open_by_handle_at 304 fanotify_init 300 fanotify_mark 301 mbind 237 "
            "set_mempolicy 238 migrate_pages 256 move_pages 279 set_mempolicy_home_node 450 shmget 29 shmat 30 "
            "shmctl 31 semget 64 semop 65 semctl 66 semtimedop 220 msgget 68 msgsnd 69 msgrcv 70 msgctl 71 "
            "mq_open 240 mq_unlink 241 vmsplice 278 remap_file_pages 216 seccomp 317 process_madvise 440 "
            "process_mrelease 448 ioprio_set 251 create_module 174 get_kernel_syms 177 query_module 178 ustat 136 "
            "sysfs 139"
        ),
        missing=_numbers(
            "clone3 435 io_uring_setup 425 io_uring_enter 426 io_uring_register 427 io_setup 206 io_destroy 207 "
            "io_submit 209 io_cancel 210 io_getevents 208 io_pgetevents 333 memfd_create 319 memfd_secret 447"
        ),
        forks=_numbers("fork 57 vfork 58"),
        clone=56,
        socket=(41, 53),
        personality=135,
        ioctl=16,
        prlimit=302,
        fcntl=72,
        setsockopt=54,
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        refused=_numbers(
            "ptrace 117 process_vm_readv 270 process_vm_writev 271 kcmp 272 pidfd_getfd 438 unshare 97 setns 268 "
            "mount 40 umount2 39 pivot_root 41 chroot 51 move_mount 429 open_tree 428 fsopen 430 fsconfig 431 "
            "fsmount 432 fspick 433 mount_setattr 442 swapon 224 swapoff 225 reboot 142 sethostname 161 "
            "setdomainname 162 init_module 105 finit_module 273 delete_module 106 kexec_load 104 kexec_file_load 294 "
            "bpf 280 perf_event_open 241 userfaultfd 282 add_key 217 request_key 218 keyctl 219 acct 89 quotactl 60 "
            "quotactl_fd 443 syslog 116 settimeofday 170 clock_settime 112 lookup_dcookie 18 nfsservctl 42 "
            "vhangup 58 name_to_handle_at 264 open_by_handle_at 265 fanotify_init 262 fanotify_mark 263 mbind 235 "
            "set_mempolicy 237 migrate_pages 238 move_pages 239 set_mempolicy_home_node 450 shmget 194 shmat 196 "
            "shmctl 195 semget 190 semop 193 semctl 191 semtimedop 192 msgget 186 msgsnd 189 msgrcv 188 msgctl 187 "
            "mq_open 180 mq_unlink 181 vmsplice 75 remap_file_pages 234 seccomp 277 process_madvise 440 "
            "process_mrelease 448 ioprio_set 30"
        ),
        missing=_numbers(
            "clone3 435 io_uring_setup 425 io_uring_enter 426 io_uring_register 427 io_setup 0 io_destroy 1 "
            "io_submit 2 io_cancel 3 io_getevents 4 io_pgetevents 292 memfd_create 279 memfd_secret 447"
        ),
        forks={},
        clone=220,
        socket=(198, 199),
        personality=92,
        ioctl=29,
        prlimit=261,
        fcntl=25,
        setsockopt=208,
    ),
}


def filter_bytes(processes: int, machine: str | None = None) -> bytes:
    """The filter as the kernel takes it: an array of `struct sock_filter`.

    Args:
        processes: 1 refuses every new process (threads pass); more lets them through, without new namespaces.
        machine: as `platform.machine()`; None is this one.

    Raises:
        SandboxFault: there is no table for the machine.

    Example:
        >>> len(filter_bytes(1, "x86_64")) % 8, filter_bytes(1, "aarch64") == filter_bytes(2, "aarch64")
        (0, False)
    """
    name = machine or platform.machine()
    if name not in MACHINES:
        raise SandboxFault(
            f"sandbox: the machine is {name!r}; the system call filter is written for {' and '.join(MACHINES)}; "
            "use find('wasm')"
        )
    one = MACHINES[name]
    out = [
        _op(LOAD, ARCH),
        _op(EQUAL, one.audit, 1, 0),
        _op(RETURN, KILL),
        _op(LOAD, NR),
        _op(AT_LEAST, NEWEST + 1, 0, 1),  # x32 numbers are far above, so they are refused here too
        _op(RETURN, ERRNO | ENOSYS),
    ]
    for number in one.missing.values():
        out += _refuse(number, ENOSYS)
    for number in (*one.refused.values(), *(one.forks.values() if processes == 1 else ())):
        out += _refuse(number, EPERM)
    namespaces = [_op(ANY_BIT, NEW_NAMESPACES, 0, 1), _op(RETURN, ERRNO | EPERM)]
    threads = [_op(ANY_BIT, THREAD, 1, 0), _op(RETURN, ERRNO | EPERM)] if processes == 1 else []
    out += _when(one.clone, ARG0, namespaces + threads)
    if processes == 1:  # nobody to talk to; a pair, for its own event loop, it may have
        out += _refuse(one.socket[0], EAFNOSUPPORT)
    for number in one.socket:
        out += _when(number, ARG0, [_op(EQUAL, 1, 1, 0), _op(RETURN, ERRNO | EAFNOSUPPORT)])  # AF_UNIX alone
    # Limits of others: with its first process starved, a run would look like a fault of the sandbox.
    out += _when(one.prlimit, ARG0, [_op(EQUAL, 0, 1, 0), _op(RETURN, ERRNO | EPERM)])
    asked = [_op(EQUAL, 0xFFFFFFFF, 2, 0), _op(EQUAL, 0, 1, 0), _op(RETURN, ERRNO | EPERM)]
    out += _when(one.personality, ARG0, asked)
    typed = [_op(EQUAL, 0x5412, 1, 0), _op(EQUAL, 0x541C, 0, 1), _op(RETURN, ERRNO | EPERM)]  # TIOCSTI, TIOCLINUX
    out += _when(one.ioctl, ARG1, typed)
    out += _when(one.fcntl, ARG1, [_op(EQUAL, 1031, 0, 1), _op(RETURN, ERRNO | EPERM)])  # F_SETPIPE_SZ
    sized = [_op(EQUAL, 7, 1, 0), _op(EQUAL, 32, 0, 1), _op(RETURN, ERRNO | EPERM)]  # SO_SNDBUF, SO_SNDBUFFORCE
    out += _when(one.setsockopt, ARG2, sized)
    return b"".join([*out, _op(RETURN, ALLOW)])


def _op(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, k)


def _refuse(number: int, error: int) -> list[bytes]:
    return [_op(EQUAL, number, 0, 1), _op(RETURN, ERRNO | error)]


def _when(number: int, argument: int, then: list[bytes]) -> list[bytes]:
    """Looks at one argument of one call; what comes after sees the number again."""
    body = [_op(LOAD, argument), *then, _op(RETURN, ALLOW)]
    return [_op(EQUAL, number, 0, len(body)), *body]
