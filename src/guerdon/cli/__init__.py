"""The command line: `guerdon train | compare | recipes | report`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line. What a user did wrong is one sentence; `--debug` shows the traceback."""
    try:
        from guerdon.cli.app import run
    except ImportError as error:
        sys.stderr.write(
            f"guerdon: {error.name} is not installed; the command line needs the extra cli; "
            "run: pip install 'guerdon[train]'\n"
        )
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))
