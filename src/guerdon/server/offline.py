"""Scoring a file, in chunks that are kept as they are done, so that a killed run goes on where it was.

OUT/settings.json           what was asked; another question needs another folder
OUT/batches/000000.parquet  a chunk: its columns, facts and `worth`; OUT/batches/000000.jsonl its answers
OUT/scores.jsonl            all answers, in the order of the file, once all are there; each with `line`, its number in
                            the file, the play's `group`, and its `id` where it has one
OUT/summary.json            counts, causes, mean and spread
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from guerdon.errors import RecordError, RunFolderError
from guerdon.records import Trajectory
from guerdon.server.scoring import Answer, Scoring
from guerdon.store import atomic, read_json, read_jsonl, sweep, write_batch, write_json

Show = Callable[[int, int, int], None]
CAUSES = 20  # that a summary tells apart; the rest are counted as "other causes"


def score_file(
    scoring: Scoring, file: Path, reward: str, out: Path, chunk: int = 1024, show: Show = lambda *_: None
) -> dict[str, Any]:
    """Scores the trajectories of a JSONL file into a folder; what is there already is not done again.

    Args:
        reward: `FILE.py:NAME`, to know it again.
        chunk: plays at once; a group whose plays lie side by side is never cut.
        show: told how many plays are done, of how many, and how many are unscored.

    Returns:
        The summary, as it is in OUT/summary.json.

    Raises:
        RecordError: a line is no trajectory, which is seen before anything is scored; or a group is scattered over
            chunks and the reward compares its plays.
        RunFolderError: the folder holds something else.
    """
    parts = out / "batches"
    lines, settings = _settings(file, reward, chunk)
    _claim(out, settings)
    if (out / "summary.json").exists():
        _clean(parts)
        return read_json(out / "summary.json")
    parts.mkdir(parents=True, exist_ok=True)
    sweep(out), sweep(parts)
    done = lost = 0
    numbers = _numbers(file)
    for number, plays in enumerate(_chunks(file, chunk, scoring)):
        places = list(islice(numbers, len(plays)))
        answers = parts / f"{number:06d}.jsonl"
        if not answers.exists():
            found, batch = scoring.score_whole(plays)
            write_batch(parts / f"{number:06d}.parquet", batch)
            _write(answers, places, plays, found)  # after the batch: it says that the chunk is whole
        lost += sum(row["value"] is None for row in _rows(answers))
        done += len(plays)
        show(done, lines, lost)
    summary = _summary(scoring.term.name, sorted(parts.glob("*.jsonl")))
    with atomic(out / "scores.jsonl") as part, open(part, "wb") as whole:
        for answers in sorted(parts.glob("*.jsonl")):
            whole.write(answers.read_bytes())
    write_json(out / "summary.json", summary)
    _clean(parts)
    return summary


def _settings(file: Path, reward: str, chunk: int) -> tuple[int, dict[str, Any]]:
    """How many plays the file has, every line of which is looked at; and what its folder is known by."""
    try:
        with open(file, "rb") as data:
            digest = hashlib.file_digest(data, "sha256")
        lines = sum(1 for _ in read_jsonl(file))
    except OSError as error:
        raise RecordError(
            f"score: cannot read {file} ({error.strerror}); a file with one trajectory a line is needed; check the path"
        ) from error
    code = hashlib.sha256(Path(reward.rpartition(":")[0]).expanduser().read_bytes()).hexdigest()
    about = {"trajectories": digest.hexdigest(), "reward": reward.rpartition(":")[2], "code": code, "chunk": chunk}
    return lines, about


def _claim(out: Path, settings: dict[str, Any]) -> None:
    file = out / "settings.json"
    if out.exists() and not out.is_dir():
        raise RunFolderError(f"score: {out} is a file; an empty folder is needed; choose another --out")
    if file.exists():
        before = read_json(file)
        if not any(out.glob("batches/*.parquet")) and not (out / "summary.json").exists():
            before = settings  # nothing was done for what was asked then
            write_json(file, settings)
        other = [key for key, value in settings.items() if before.get(key) != value]
        if other:
            raise RunFolderError(
                f"score: {out} holds scores of other {', '.join(other)}; an empty folder is needed, or the same "
                "question; choose another --out, or remove it"
            )
        return
    if out.exists() and any(out.iterdir()):
        raise RunFolderError(f"score: {out} holds other files; an empty folder is needed; choose another --out")
    write_json(file, settings)


def _chunks(file: Path, size: int, scoring: Scoring) -> Iterator[list[Trajectory]]:
    """The plays in chunks that end where a group ends; a scattered group is refused where it would matter."""
    chunk: list[Trajectory] = []
    gone: set[Any] = set()
    compares: str | None = None
    for play in read_jsonl(file):
        if len(chunk) >= size and play.group != chunk[-1].group:
            gone |= {p.group for p in chunk}
            yield chunk
            chunk = []
        if play.group in gone:
            compares = scoring.compares() if compares is None else compares
            if compares:
                raise RecordError(
                    f"score: the plays of group {play.group!r} are scattered over {file}, and {compares}; the plays of "
                    "a group are needed side by side; sort the file by group, or give a --chunk that holds all of it"
                )
        chunk.append(play)
    if chunk:
        yield chunk


def _numbers(file: Path) -> Iterator[int]:
    """The number of each line that holds a play: blank ones are passed over, as in reading."""
    with open(file, "rb") as lines:
        yield from (number for number, line in enumerate(lines, 1) if line.strip())


def _write(path: Path, places: list[int], plays: list[Trajectory], answers: list[Answer]) -> None:
    with atomic(path) as part, open(part, "w", encoding="utf-8", errors="replace") as file:
        for place, play, answer in zip(places, plays, answers, strict=True):
            named = {"id": play.extra["id"]} if "id" in play.extra else {}
            row = {"line": place, "group": play.group, **named, **answer.as_json()}
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _summary(reward: str, files: list[Path]) -> dict[str, Any]:
    plays, values = 0, _Spread()
    parts: dict[str, _Spread] = {}
    causes: dict[str, int] = {}
    for row in (row for file in files for row in _rows(file)):
        plays += 1
        values.add(row["value"])
        for name, value in row["parts"].items():
            parts.setdefault(name, _Spread()).add(value)
        if row["value"] is None:
            causes[row["cause"]] = causes.get(row["cause"], 0) + 1
    common = dict(sorted(causes.items(), key=lambda it: -it[1])[:CAUSES])
    if rest := sum(causes.values()) - sum(common.values()):
        common["other causes"] = rest
    about = {name: spread.said() for name, spread in parts.items()}
    return {"reward": reward, "plays": plays, "score": values.said(), "parts": about, "unscored": common}


class _Spread:
    """Mean and spread of numbers that are seen once, None left out."""

    def __init__(self) -> None:
        self.n, self.mean, self.squares, self.low, self.high = 0, 0.0, 0.0, math.inf, -math.inf

    def add(self, value: float | None) -> None:
        if value is None:
            return
        self.n += 1
        off = value - self.mean
        self.mean += off / self.n
        self.squares += off * (value - self.mean)
        self.low, self.high = min(self.low, value), max(self.high, value)

    def said(self) -> dict[str, float | int | None]:
        if not self.n:
            return {"scored": 0, "mean": None, "std": None, "min": None, "max": None}
        std = math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else None
        return {"scored": self.n, "mean": self.mean, "std": std, "min": self.low, "max": self.high}


def _clean(parts: Path) -> None:
    """Answers of chunks are in scores.jsonl now."""
    for file in parts.glob("*.jsonl"):
        file.unlink()
