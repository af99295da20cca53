"""Sources: what was cited, named and retrieved, beside what should have been."""

from __future__ import annotations

from guerdon.evidence.sources.cited import Citation, Cited, FBeta, In, IoU, Validity, citations, cited
from guerdon.evidence.sources.entities import EntityMatch, entities_named, entity_match, share_of_best
from guerdon.evidence.sources.gains import RetrievalGain, merged, ndcg, recalls, retrieval_gain
from guerdon.evidence.sources.judged import Judged, self_judgement

__all__ = [
    "Citation", "Cited", "EntityMatch", "FBeta", "In", "IoU", "Judged", "RetrievalGain", "Validity", "citations",
    "cited", "entities_named", "entity_match", "merged", "ndcg", "recalls", "retrieval_gain", "self_judgement",
    "share_of_best",
]  # fmt: skip
