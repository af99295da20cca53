"""Checkpoints: everything that the next iteration depends on, in one file that is whole or absent.

Randomness is not in it: every iteration draws from generators made of the seed and its own
number, so a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import torch

from guerdon.errors import RunFolderError
from guerdon.store import write_bytes

KEEP = 2
HOLDS = {"iteration", "model", "optimizer", "critic", "reference", "counts", "warm_up"}
BROKEN = (
    RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, ImportError, OverflowError,
    pickle.UnpicklingError, struct.error,
)  # fmt: skip


def save(folder: Path, iteration: int, state: dict[str, Any]) -> Path:
    """Writes `folder/NNNNNN.pt` whole or not at all, and removes all but the newest few."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{iteration:06d}.pt"
    data = io.BytesIO()
    torch.save({"iteration": iteration, **state}, data)
    write_bytes(path, data.getbuffer())
    for old in sorted(folder.glob("*.pt"))[:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path) -> Path | None:
    """The checkpoint to go on from, or None."""
    return max(folder.glob("*.pt"), default=None)


def load(path: Path) -> dict[str, Any]:
    """Reads a checkpoint.

    Raises:
        RunFolderError: the file is damaged; the sentence says what to remove.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if missing := HOLDS - set(state):
            raise KeyError(f"it holds no {', '.join(sorted(missing))}")
    except BROKEN as error:  # the bytes may be anything, and so may what reading them raises
        said = (str(error).strip("'\" ").splitlines() or [type(error).__name__])[0]
        raise RunFolderError(
            f"checkpoint: {path} cannot be read ({said[:120]}); a whole file is needed; "
            "remove it to go on from the checkpoint before it, or remove the run folder to begin again"
        ) from error
    return state
