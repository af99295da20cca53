"""Instructions that can be checked by rule: how much, what and in which form; JSON schemas; regular languages.

observe(batch, [follows(measure=share), json_schema(schema=SCHEMA), in_language(pattern="[a-z]+")])
"""

from __future__ import annotations

from guerdon.evidence.constraints.follow import Kept, degree, every, follows, share
from guerdon.evidence.constraints.language import PatternError, in_language, regular
from guerdon.evidence.constraints.schema import json_schema
from guerdon.evidence.constraints.spec import CHECKS, AtLeast, Check, Not, check, checks_of

__all__ = [
    "CHECKS", "AtLeast", "Check", "Kept", "Not", "PatternError", "check", "checks_of", "degree", "every", "follows",
    "in_language", "json_schema", "regular", "share",
]  # fmt: skip
