"""TensorBoard beside metrics.jsonl: the same numbers, for those who have it open anyway.

Events are written here, one after the other, and not by TensorBoard's own writer: that one
has a thread, in which a full disk is a traceback, and a queue, which `kill -9` loses.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from guerdon.errors import RunFolderError


class Board:
    """Writes scalars into a folder that TensorBoard reads; where TensorBoard is not installed it does nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: Any = None

    def write(self, metrics: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl as scalars at its iteration; what is nested is named `outer/inner`."""
        shown = {
            name: value for name, value in metrics.items() if name != "noticed"
        }  # counts to be added up, no curves
        self._add(metrics["iteration"], dict(scalars(shown)))

    def purge(self, iteration: int) -> None:
        """Says that what was written after this iteration is to be forgotten: a resumed run writes it again."""
        if self.folder.exists():
            self._add(iteration + 1, None)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add(self, iteration: int, values: Mapping[str, float] | None) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event, SessionLog
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError:
            return
        event = Event(wall_time=time.time(), step=iteration)
        if values is None:
            event.session_log.CopyFrom(SessionLog(status=SessionLog.START))
        else:
            event.summary.CopyFrom(Summary(value=[Summary.Value(tag=k, simple_value=v) for k, v in values.items()]))
        try:
            if self._file is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
                self._file = open(self.folder / name, "ab", buffering=0)  # noqa: SIM115 (it stays open for the run)
                begin = Event(wall_time=time.time(), file_version="brain.Event:2")
                RecordWriter(self._file).write(begin.SerializeToString())
            RecordWriter(self._file).write(event.SerializeToString())
        except OSError as error:
            raise RunFolderError(
                f"board: cannot write {self.folder} ({error.strerror}); room for a few numbers an iteration is needed; "
                "free some space, then go on with --resume"
            ) from error


def scalars(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers among the metrics, with their names.

    Example:
        >>> dict(scalars({"iteration": 1, "loss": 0.5, "eval": {"success": None, "n": 3, "split": "test"}}))
        {'loss': 0.5, 'eval/n': 3.0}
    """
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and f"{prefix}{name}" != "iteration":
            yield f"{prefix}{name}", float(value)
