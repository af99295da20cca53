"""The command line: `guerdon train | compare | recipes | report`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line. What a user did wrong is one sentence; `--debug` shows the traceback."""
    try:
        from guerdon.cli.app import run
    except ImportError as error:
        from guerdon.cli.extras import missing
        from guerdon.errors import MissingExtraError

        named = missing(error, "the command line")
        if not isinstance(named, MissingExtraError):  # an installation that is broken: no extra mends it
            raise
        sys.stderr.write(f"guerdon: {named}\n")
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))
