"""States of an environment: what changed, and whether it should have."""

from __future__ import annotations

from guerdon.evidence.states.difference import Edits, StateMatch, TooLarge, changes, edits, leaves, state_match

__all__ = ["Edits", "StateMatch", "TooLarge", "changes", "edits", "leaves", "state_match"]
