"""What a command line names: the reward, the workers it is graded on, the cache of verdicts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from guerdon.environments import from_file
from guerdon.errors import EnvironmentFault, RunFolderError, UnknownNameError
from guerdon.rewards import Term


def load_reward(name: str) -> Term:
    """The Term that a file of the user's calls NAME, for a name of the form `FILE.py:NAME`.

    Raises:
        UnknownNameError: the name has another form, there is no such file, it cannot be run, or it has no Term of that
            name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     size = Path(folder, "r.py").write_text("import guerdon as gd" + chr(10) + "R = gd.fact('outcome')")
        ...     load_reward(f"{folder}/r.py:R").name
        'outcome'
    """
    if ".py:" not in name:
        raise UnknownNameError(
            f"load_reward: the reward is {name!r}; FILE.py:NAME is needed; name a Term of a file of yours, as in "
            "reward.py:REWARD"
        )
    try:
        return from_file(name, "Term", lambda it: isinstance(it, Term))
    except EnvironmentFault as fault:  # another path, or a mended file, is needed: that is usage
        raise UnknownNameError(str(fault)) from fault


def open_workers(said: str | None) -> Any:
    """The workers that `--workers` names, as `workers_from` reads it; None: the pool of this process."""
    from guerdon.evidence.ray import workers_from
    from guerdon.evidence.use import workers_in_use

    return workers_in_use() if said is None else workers_from(said)


def open_cache(folder: str | Path | None) -> Any:
    """The cache of verdicts in a folder; None for none.

    Raises:
        RunFolderError: it cannot be made or written.

    Example:
        >>> open_cache(None) is None
        True
    """
    if folder is None:
        return None
    from guerdon.evidence.cache import Cache

    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunFolderError(
            f"--cache: cannot write {folder} ({error.strerror}); a folder is needed; name another, or leave it out"
        ) from error
    return Cache(folder)
