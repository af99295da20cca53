"""What can be observed, and the facts it leaves. Evidence is taken once; rewards read it.

    batch = observe(batch, [turns, repeated, match()])
    batch = observe(batch, [maths.maths(), code.code_tests()], workers=Pool(2), cache=Cache("verdicts"))

Each observer leaves a column of facts under its name. One folder a family:

    texts tools states sources   what was said, called, changed, cited
    maths code sql               what can be checked by working it out, or by running it
    constraints logic            what was asked of the form, over time, and in formulas
    judges                       what another model says of it
    likelihoods                  what a model makes of the reference; needs torch
    sandbox                      where programs are shut in

A family is loaded when it is first asked for: `from guerdon.evidence import maths`, or `gd.evidence.maths`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from guerdon.evidence.agreement import cross_agreement, disagreement, majority, self_consistency, weighted_majority
from guerdon.evidence.cache import Cache
from guerdon.evidence.cascade import Always, Measured, Only, Stage, cascade, measured, measured_on
from guerdon.evidence.grading import Grading, remembered
from guerdon.evidence.match import match, normalise
from guerdon.evidence.novelty import Counts, episodic_novelty, global_novelty, visits
from guerdon.evidence.observer import Observer, Reading, observe, unscored
from guerdon.evidence.pool import Pool
from guerdon.evidence.ray import RayWorkers, workers_from
from guerdon.evidence.spending import spent, token_cost
from guerdon.evidence.trace import invalid_share, loop_share, looped, repeated, tokens, tool_error, tool_errors, turns
from guerdon.evidence.use import Here, Workers, cache_in_use, progress_in_use, using, workers_in_use

FAMILIES = frozenset((
    "code", "constraints", "judges", "likelihoods", "logic", "maths", "sandbox", "sources", "sql", "states", "texts",
    "tools",
))  # fmt: skip


def __getattr__(name: str) -> ModuleType:
    if name in FAMILIES:
        return import_module(f"guerdon.evidence.{name}")
    raise AttributeError(f"module 'guerdon.evidence' has no attribute {name!r}")


__all__ = [
    "Always", "Cache", "Counts", "Grading", "Here", "Measured", "Observer", "Only", "Pool", "RayWorkers", "Reading",
    "Stage", "Workers", "cache_in_use", "cascade", "cross_agreement", "disagreement", "episodic_novelty",
    "global_novelty", "invalid_share", "loop_share", "looped", "majority", "match", "measured", "measured_on",
    "normalise", "observe", "progress_in_use", "remembered", "repeated", "self_consistency", "spent", "token_cost",
    "tokens", "tool_error", "tool_errors", "turns", "unscored", "using", "visits", "weighted_majority",
    "workers_from", "workers_in_use",
]  # fmt: skip
