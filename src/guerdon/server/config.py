"""What a server is told when it starts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from guerdon.errors import UnknownNameError

# What chat templates put after an answer: it is no part of it, and no reference has it.
END_TOKENS = re.compile(r"(?:\s*(?:<\|[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|</s>|<eos>|<end_of_turn>))+\s*\Z")
REFERENCE_KEYS = ("reference", "ground_truth", "expected_answer", "answer", "label")


@dataclass(frozen=True)
class Config:
    """How a reward is served.

    Attributes:
        reward: `FILE.py:NAME` of a Term.
        host, port: where to listen; port 0 takes a free one.
        token: what a request must show as `Authorization: Bearer TOKEN` or `?token=TOKEN`; "" asks for nothing.
        unscored_as: the number that slime and NeMo-Gym get for an unscored item; None answers 503 with the cause.
        retries: how often the single-item routes and OpenRLHF's grade an unscored item once more.
        strip: texts that are cut off the end of an answer; none cuts the end tokens of the usual chat templates.
        references: under which keys NeMo-Gym's request has the reference; the first that is there.
        probe: a JSONL file with plays as they will be sent, for the self-test; None takes made-up ones.
        merge: whether requests that wait together may be scored as one batch, where that changes no answer.
        body: the longest request, in bytes.
        items: the most trajectories in a request.
        in_flight: how many requests may be there at once; one more is answered 429.
        timeout: seconds for a request, after which it is answered 504 and what still works on it is killed.
        grace: seconds that requests have to finish after SIGTERM.
        scorers: scoring processes. threads: batches that each may work on at once.
        workers: grading processes, shared out among the scorers, or what else `workers_from` reads; None: one a core.
        cache: the folder of graded verdicts, or None.
    """

    reward: str
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    unscored_as: float | None = None
    retries: int = 1
    strip: tuple[str, ...] = ()
    references: tuple[str, ...] = REFERENCE_KEYS
    probe: str | None = None
    merge: bool = True
    body: int = 32 * 2**20
    items: int = 4096
    in_flight: int = 256
    timeout: float = 120.0
    grace: float = 30.0
    scorers: int = 2
    threads: int = 4
    workers: str | None = None
    cache: str | None = None

    def __post_init__(self) -> None:
        least = {"body": 1024, "items": 1, "in_flight": 1, "scorers": 1, "threads": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UnknownNameError(
                    f"Config: {name} is {getattr(self, name)}; at least {low} is needed; leave it out for the default"
                )
        if not (self.timeout > 0 and self.grace >= 0 and self.retries >= 0):
            raise UnknownNameError(
                f"Config: timeout is {self.timeout}, grace {self.grace}, retries {self.retries}; a positive timeout "
                "and no negative number are needed; leave them out for the defaults"
            )
        if self.unscored_as is not None and not abs(self.unscored_as) < float("inf"):
            raise UnknownNameError(
                f"Config: unscored_as is {self.unscored_as}; a finite number is needed; leave it out to answer 503"
            )

    def said(self, text: str) -> str:
        """The answer without what ends it.

        Example:
            >>> Config("reward.py:REWARD").said("42<|im_end|>")
            '42'
        """
        if not self.strip:
            return END_TOKENS.sub("", text)
        while end := next((s for s in self.strip if s and text.endswith(s)), ""):
            text = text[: -len(end)]
        return text
