"""A reward behind HTTP: its own route with verdicts, and the routes that trainers already speak.

    guerdon serve reward.py:REWARD --port 8000

`Client` asks such a server from Python, `guerdon.server.verl.compute_score` from verl. In the server, one
process listens and others score: what hangs or dies there is killed and begun again, and the answer says so.
An item that could not be graded is answered as unscored, with the cause; it is never 0 by default.

Importing this needs the extra `server` only where something is served or asked.
"""

from __future__ import annotations

from guerdon.server.client import Client
from guerdon.server.config import Config
from guerdon.server.scoring import Answer, Scoring

__all__ = ["Answer", "Client", "Config", "Scoring"]
