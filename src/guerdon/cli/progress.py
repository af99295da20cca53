"""Progress on everything that takes longer than two seconds: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

WIDE = 120  # columns of a table that goes into a file or a pipe
SOON = 2.0  # seconds after which something new is worth a line


def console(stderr: bool = False) -> Console:
    """Where to print: as wide as the terminal, or WIDE columns where it is none."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=WIDE)


class Bars:
    """Rows of progress by name, on stderr.

    Args:
        every: seconds between lines about one name, where stderr is no terminal.
    """

    def __init__(self, every: float = 10.0) -> None:
        self.console, self.every = console(stderr=True), every
        self.began = time.monotonic()
        self._rows: dict[str, Any] = {}
        self._last: dict[str, tuple[float, str]] = {}
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}"),
                   TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
        self._bar = Progress(*columns, console=self.console) if self.console.is_terminal else None

    def __enter__(self) -> Bars:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(
        self, name: str, doing: str = "", done: float | None = None, total: float | None = None, now: str = ""
    ) -> None:
        """How far `name` is; `doing` is what it does where that cannot be counted."""
        if self._bar:
            if name not in self._rows:
                self._rows[name] = self._bar.add_task(name, total=total, now="")
            self._bar.update(self._rows[name], completed=done, total=total, now=doing or now)
            return
        last, before = self._last.get(name, (-self.every, ""))
        wait = min(self.every, SOON) if doing != before else self.every
        if time.monotonic() - last >= wait or (done is not None and done == total):
            self._last[name] = (time.monotonic(), doing)
            said = doing or " ".join(filter(None, (f"{done:,.0f} of {total:,.0f}" if total else "", now)))
            self._line(f"{name}: {said}")

    def end(self, name: str, said: str = "") -> None:
        """`name` is over; what is to be said of it stays on the screen."""
        if self._bar and name in self._rows:
            self._bar.remove_task(self._rows.pop(name))
        if said:
            self._line(f"{name}: {said}")

    def _line(self, text: str) -> None:
        self.console.print(
            f"[{time.monotonic() - self.began:6.0f} s] {text}", markup=False, highlight=False, soft_wrap=True
        )
