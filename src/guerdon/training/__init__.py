"""Training: `loop.py` first, then what it calls."""

from guerdon.training.compare import compare
from guerdon.training.config import Config, preset
from guerdon.training.loop import train
from guerdon.training.run import Run

__all__ = ["Config", "Run", "compare", "preset", "train"]
