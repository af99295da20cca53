"""Who plays: a causal language model, with the context it reads and the tokens it sampled."""

from guerdon.policies.context import LastState, WholeHistory
from guerdon.policies.language import Act, LanguagePolicy, Play, load, small

__all__ = ["Act", "LanguagePolicy", "LastState", "Play", "WholeHistory", "load", "small"]
