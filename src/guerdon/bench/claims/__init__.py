"""Named experiments: what a paper says of a credit rule, in a world small enough to check it.

    claim = get("slate")
    result = claim.run(0, FULL)
    result.figure, result.control, result.holds

One file per claim, found by its name. A claim that does not hold stays, and says so.
"""

from guerdon.bench.claims.base import FAST, FULL, Claim, Effort, Measured, Result, get, names

__all__ = ["FAST", "FULL", "Claim", "Effort", "Measured", "Result", "get", "names"]
