"""Which extra brings what a command could not import: the one place where a missing package becomes a sentence."""

from __future__ import annotations

from guerdon.errors import MissingExtraError

# The smallest extra that has the package, by the name under which it is imported.
BROUGHT = {
    "typer": "cli", "rich": "cli",
    "torch": "train", "transformers": "train", "tokenizers": "train", "accelerate": "train", "safetensors": "train",
    "tensorboard": "train",
    "textworld": "envs", "math_verify": "math", "duckdb": "sql", "scipy": "tools", "z3": "logic",
    "jsonschema": "logic", "httpx": "judge", "fastapi": "server", "uvicorn": "server", "prometheus_client": "server",
    "ray": "ray", "verl": "verl", "trl": "trl",
}  # fmt: skip


def missing(error: ImportError, who: str) -> ImportError:
    """The error that names the extra to install, where one brings what was not found; else the error itself.

    Args:
        error: what an import raised.
        who: the command that needed it.

    Example:
        >>> str(missing(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"), "train"))
        "train: torch is not installed; the extra train brings it; run: pip install 'guerdon[train]'"
        >>> missing(ImportError("cannot import name 'x'"), "train")
        ImportError("cannot import name 'x'")
    """
    package = (error.name or "").partition(".")[0]
    extra = BROUGHT.get(package)
    if extra is None or isinstance(error, MissingExtraError) or not isinstance(error, ModuleNotFoundError):
        return error
    return MissingExtraError(
        f"{who}: {package} is not installed; the extra {extra} brings it; run: pip install 'guerdon[{extra}]'"
    )
