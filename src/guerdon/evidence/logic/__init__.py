"""Logic as evidence: STL robustness, LTL over finite traces, and whether two formulas say the same.

observe(batch, [stl("F[0,30] gap < 0.5 & G clear > 0"), ltlf("F (key & X F door)"), equivalent()])
"""

from __future__ import annotations

from guerdon.evidence.logic.equivalence import agreement, balanced, equivalent, exact, truth_table
from guerdon.evidence.logic.first_order import equivalent_first_order
from guerdon.evidence.logic.formulas import parse_first_order, parse_propositional
from guerdon.evidence.logic.ltl import automaton, ltlf, parse_ltlf, progressed
from guerdon.evidence.logic.parsing import FormulaError
from guerdon.evidence.logic.stl import parse_stl, robustness, robustness_so_far, stl

__all__ = [
    "FormulaError", "agreement", "automaton", "balanced", "equivalent", "equivalent_first_order", "exact", "ltlf",
    "parse_first_order", "parse_ltlf", "parse_propositional", "parse_stl", "progressed", "robustness",
    "robustness_so_far", "stl", "truth_table",
]  # fmt: skip
