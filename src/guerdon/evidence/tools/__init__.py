"""Tool calls: read from text, compared with those of a reference, matched by assignment."""

from __future__ import annotations

from guerdon.evidence.tools.assign import (
    Matched,
    Matcher,
    Sinkhorn,
    greedy,
    hungarian,
    in_sequence,
    ordered,
    transport,
)
from guerdon.evidence.tools.calls import (
    Call,
    Parsed,
    Parser,
    any_calls,
    call_of,
    calls_of,
    hermes_calls,
    json_calls,
    python_calls,
)
from guerdon.evidence.tools.match import (
    CallMatch,
    CallValidity,
    Tool,
    call_match,
    call_validity,
    exact_calls,
    tools_of,
    wanted_calls,
)
from guerdon.evidence.tools.similar import Partly, Similarity, equal_calls, graded_calls, similarities

__all__ = [
    "Call", "CallMatch", "CallValidity", "Matched", "Matcher", "Parsed", "Parser", "Partly", "Similarity", "Sinkhorn",
    "Tool", "any_calls", "call_match", "call_of", "call_validity", "calls_of", "equal_calls", "exact_calls",
    "graded_calls", "greedy", "hermes_calls", "hungarian", "in_sequence", "json_calls", "ordered", "python_calls",
    "similarities", "tools_of", "transport", "wanted_calls",
]  # fmt: skip
