"""Where tasks are played: text worlds behind one protocol, found by name.

    get("keydoor", subgoals=4)      a built-in family, with options
    get("worlds.py:MyFamily")       a family of one's own, from a file

`base` says what an environment is, `vector` plays many at once and turns what breaks into
data, `keydoor` comes with its exact model, and `textworld` needs the extra `envs`. Nothing
is imported before it is asked for.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guerdon.environments.base import Branching, Environment, Family, Seen
from guerdon.environments.child import load
from guerdon.errors import EnvironmentFault, UnknownNameError

__all__ = ["Branching", "Environment", "Family", "Seen", "get", "names"]

BUILT_IN = {"keydoor": "guerdon.environments.keydoor:Keydoor", "textworld": "guerdon.environments.textworld:TextWorld"}


def names() -> tuple[str, ...]:
    """The built-in families, by the names that `get` takes.

    Example:
        >>> names()
        ('keydoor', 'textworld')
    """
    return tuple(sorted(BUILT_IN))


def get(name: str, **options: Any) -> Family:
    """A family of environments, by name.

    Args:
        name: a built-in one, or `FILE.py:NAME` where NAME is a class or function in the file
            that makes a family.
        options: what it is made with; each family lists its own.

    Returns:
        The family.

    Raises:
        UnknownNameError: no family or option has that name.
        EnvironmentFault: the file cannot be read or run.

    Example:
        >>> get("keydoor").name
        'keydoor'
    """
    maker = _from_file(name) if ".py:" in name else _built_in(name)
    _no_strange_option(name, maker, options)
    return maker(**options)


def _built_in(name: str) -> Callable[..., Family]:
    if name not in BUILT_IN:
        raise UnknownNameError(
            f"get: no environment is called {name!r}; the names are {', '.join(names())}; "
            "use one of these, or FILE.py:NAME for a family of your own"
        )
    module, _, attribute = BUILT_IN[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def _from_file(name: str) -> Callable[..., Family]:
    return from_file(name, "family", callable)


def from_file(name: str, what: str, fits: Callable[[Any], bool]) -> Any:
    """What a file of the user's calls NAME, for a name of the form `FILE.py:NAME`.

    Args:
        what: what it should be, for the message.
        fits: whether a thing can be one.

    Raises:
        UnknownNameError: the file has nothing of that name.
        EnvironmentFault: the file cannot be read or run.
    """
    file, _, attribute = name.rpartition(":")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise EnvironmentFault(
            f"get: {name!r} names the file {path}; there is no such file; "
            "give the path from the current folder, or a full one"
        )
    # The path is in the name, so that two files called alike stay two modules.
    module = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    try:
        loaded = load(module, path)
    except Exception as error:  # a boundary: the file is the user's, and may raise anything
        raise EnvironmentFault(
            f"get: {path} raised {type(error).__name__}: {error}; it has to run as a module; mend it and try again"
        ) from error
    found = getattr(loaded, attribute, None)
    if not fits(found):
        there = sorted(key for key, value in vars(loaded).items() if fits(value) and not key.startswith("_"))
        raise UnknownNameError(
            f"get: {path} has no {what} called {attribute!r}; it defines "
            f"{', '.join(there) or 'nothing that could be one'}; use one of these"
        )
    return found


def _no_strange_option(name: str, maker: Callable[..., Family], options: dict[str, Any]) -> None:
    takes = inspect.signature(maker).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in takes):
        return
    known = [one.name for one in takes if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    if strange := [option for option in options if option not in known]:
        raise UnknownNameError(
            f"get: {name!r} has no option {strange[0]!r}; its options are {', '.join(known) or 'none'}; "
            "use one of these"
        )
