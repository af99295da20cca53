"""Files that appear whole or not at all, and metrics that survive a crash."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from guerdon.errors import RunFolderError

HUGE = sys.float_info.max
FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder; what is written there becomes `path`, whole.

    The file is synced, put in place by one rename, and the folder is synced. When the block
    raises, the temporary file goes and what was at `path` stays. The folder is made where
    there is none. A process that is killed may leave a `.NAME.*.part` behind: see `sweep`.

    Raises:
        RunFolderError: the disk is full, the folder is not ours to write, ...

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic(f"{folder}/note.txt") as part:
        ...         size = part.write_text("whole")
        ...     Path(folder, "note.txt").read_text()
        'whole'
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(3)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, "rb") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except RunFolderError:
        raise
    except OSError as error:
        raise RunFolderError(_cannot_write("atomic", path, error)) from error
    finally:
        with suppress(OSError):  # after the rename there is nothing left to remove
            part.unlink()
    with suppress(OSError):  # some network file systems cannot sync a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def sweep(folder: str | Path) -> int:
    """Removes the temporary files that killed writers left in the folder; how many there were."""
    left = list(Path(folder).glob(".*.part"))
    for part in left:
        part.unlink(missing_ok=True)
    return len(left)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes the bytes atomically."""
    with atomic(path) as part:
        part.write_bytes(data)


def write_json(path: str | Path, obj: Any) -> None:
    """Writes one JSON value atomically; NaN and infinities become null."""
    write_bytes(path, (json.dumps(_finite(obj), indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: str | Path) -> Any:
    """Reads one JSON value; a missing or damaged file is a RunFolderError."""
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise RunFolderError(
            f"read_json: cannot read {path} ({error.strerror}); a JSON file is needed there"
        ) from error
    except ValueError as error:
        raise RunFolderError(
            f"read_json: {path} is not JSON ({error}); restore it, or begin in a new folder"
        ) from error


def _cannot_write(who: str, path: Path, error: OSError) -> str:
    here = next((p for p in path.parents if p.exists()), Path("."))
    said = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in FULL:
        need = "room for the file is needed; free some space, or choose a folder on another disk"
    elif error.errno == errno.EFBIG:
        need = "a higher limit on the size of a file is needed; raise it with ulimit -f"
    elif error.errno in FORBIDDEN:
        need = "leave to write there is needed; choose another folder, or change its permissions"
    else:
        need = "a folder that can be written is needed; choose another one"
    free = shutil.disk_usage(here).free / 2**20
    return f"{who}: cannot write {path} ({said}; {free:,.0f} MiB are free); what was there before is untouched; {need}"


def _finite(value: Any) -> Any:
    """The value with numpy types as Python's own, and null where a number is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if -HUGE <= value <= HUGE else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


# Metrics: one line an iteration, appended.


def append_jsonl(path: str | Path, obj: Mapping[str, Any]) -> None:
    """Appends one line; NaN and infinities become null. A torn last line is cut off first."""
    line = (json.dumps(_finite(obj), ensure_ascii=False) + "\n").encode()
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+", buffering=0) as file:
            file.truncate(_whole_lines(file))
            while line:  # a write that stops short says why when it goes on
                line = line[file.write(line) :]
    except OSError as error:
        raise RunFolderError(_cannot_write("append_jsonl", Path(path), error)) from error


def _whole_lines(file: Any, block: int = 1 << 16) -> int:
    """The length of the file up to its last newline."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(end - block, 0)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The lines of a metrics file. A line that a crash tore, without its newline, is dropped."""
    if not Path(path).exists():
        return []
    whole = Path(path).read_bytes().rpartition(b"\n")[0]
    lines = []
    for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
        try:
            lines.append(json.loads(line))
        except ValueError as error:
            raise RunFolderError(
                f"read_metrics: {path}, line {number} is not JSON ({error}); "
                "one object a line is needed; remove the line"
            ) from error
    return lines


def truncate_metrics(path: str | Path, iteration: int) -> None:
    """Keeps, atomically, the lines up to this iteration: what a resumed run goes on from."""
    if not Path(path).exists():
        return
    kept = [line for line in read_metrics(path) if line.get("iteration", iteration) <= iteration]
    write_bytes(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept).encode())
