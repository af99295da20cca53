"""Maths: is what was said equal to the reference? Extraction, quick rules, and a checker that can be killed."""

from __future__ import annotations

from guerdon.evidence.maths.canon import canon
from guerdon.evidence.maths.extract import Said, extract
from guerdon.evidence.maths.verify import Maths, check_reference, check_references, equal, equal_all, maths

__all__ = ["Maths", "Said", "canon", "check_reference", "check_references", "equal", "equal_all", "extract", "maths"]
