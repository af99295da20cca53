"""Texts against references and against themselves: matches, overlaps, chains, choices, bands, repetition."""

from __future__ import annotations

from guerdon.evidence.texts.against import Against, Within, whole
from guerdon.evidence.texts.bands import LengthBand, RatioBand, Tags, band, length_band, length_ratio, tags_band
from guerdon.evidence.texts.chain import Chain, chain, keyword_chain, keywords_in
from guerdon.evidence.texts.choice import Choice, as_choice, letter_in, one_choice
from guerdon.evidence.texts.exact import Begins, Contained, Equal, exact_match, has_run
from guerdon.evidence.texts.overlap import (
    F1,
    Overlap,
    RougeL,
    RougeN,
    f1_match,
    f_beta,
    lcs_length,
    overlap,
    rouge,
    rouge_l,
    rouge_n,
    token_f1,
)
from guerdon.evidence.texts.repetition import Repetition, repeated_share, repetition
from guerdon.evidence.texts.summary import RougeLsum, Sentences, lcs_places, rouge_lsum, rouge_sum
from guerdon.evidence.texts.words import composed, one, several, squad_words, words

__all__ = [
    "F1",
    "Against",
    "Begins",
    "Chain",
    "Choice",
    "Contained",
    "Equal",
    "LengthBand",
    "Overlap",
    "RatioBand",
    "Repetition",
    "RougeL",
    "RougeLsum",
    "RougeN",
    "Sentences",
    "Tags",
    "Within",
    "as_choice",
    "band",
    "chain",
    "composed",
    "exact_match",
    "f1_match",
    "f_beta",
    "has_run",
    "keyword_chain",
    "keywords_in",
    "lcs_length",
    "lcs_places",
    "length_band",
    "length_ratio",
    "letter_in",
    "one",
    "one_choice",
    "overlap",
    "repeated_share",
    "repetition",
    "rouge",
    "rouge_l",
    "rouge_lsum",
    "rouge_n",
    "rouge_sum",
    "several",
    "squad_words",
    "tags_band",
    "token_f1",
    "whole",
    "words",
]  # fmt: skip
