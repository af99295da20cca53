"""From the bodies of requests to replies: read, scored together, written. What a scoring process does all day."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from guerdon.errors import RecordError
from guerdon.server.config import Config
from guerdon.server.protocol import Asked, BodyError, Protocol, Reply, class_of, counted, decoded, encoded, refusal
from guerdon.server.routes import ROUTES
from guerdon.server.scoring import PROBE, Answer, Scoring, sentence
from guerdon.store import read_jsonl

WAIT = 0.1  # seconds before an unscored play is graded again
FINAL = ("play", "missing")  # causes that no second grading changes
Request = tuple[str, bytes]  # the path, and the body


@dataclass
class Answering:
    """Answers requests in the protocol of their path.

    Attributes:
        compares: why the reward cannot score a play alone, or "".
    """

    scoring: Scoring
    config: Config
    compares: str = ""

    def plan(self) -> str:
        """What `warm` is about to do: /ready says it while it is done."""
        by = ", ".join(o.name for o in self.scoring.term.observers) or self.scoring.term.name
        return f"the self-test: plays{' of --probe' if self.config.probe else ''} are graded by {by}"

    def warm(self) -> dict[str, Any]:
        """Grades the probe: starts what grades, and learns whether the reward compares plays.

        Returns:
            What /ready says: how many of the probe's plays were scored, and why others were not. Where none of the
            made-up plays was, a `warning` beside it: plays of trainers may bring what these lack.

        Raises:
            RecordError: none of the plays of `--probe` is scored; a server that grades nothing is not ready.
        """
        own = self.config.probe
        plays = [play for play, _ in zip(read_jsonl(own), range(64), strict=False)] if own else list(PROBE)
        answers = self.scoring.score(plays)
        scored, causes = sum(a.scored for a in answers), dict.fromkeys(a.cause for a in answers if not a.scored)
        if own and not scored:
            why = "; ".join(map(str, causes)) or "it is empty"
            raise RecordError(
                f"serve: of the {len(plays)} plays of {own} none is scored ({why}); at least one is needed before "
                "trainers ask; mend the reward or the file"
            )
        self.compares = self.scoring.compares(plays[:8])
        out: dict[str, Any] = {"reward": self.scoring.term.name, "self_test": f"{scored} of {len(plays)} scored"}
        out["parts"] = list(dict.fromkeys(name for a in answers for name in a.parts))
        if causes:
            out["unscored"] = list(causes)
        if not scored:
            why = "; ".join(map(str, causes))
            out["warning"] = (
                f"none of the {len(plays)} made-up plays of the self-test could be scored ({why}); "
                "plays of trainers may bring what they lack; --probe FILE tries some as they will come"
            )
        if self.compares:
            out["compares"] = self.compares
        return out

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order."""
        replies: list[Reply | None] = [None] * len(requests)
        read: list[tuple[int, Protocol, Asked]] = []
        for n, (path, body) in enumerate(requests):
            got = self._read(ROUTES[path], body)
            if isinstance(got, Reply):
                replies[n] = got
            else:
                read.append((n, ROUTES[path], got))
        scored = self.scoring.score_each([asked.plays for _, _, asked in read])
        self._again(read, scored)
        for (n, route, asked), answers in zip(read, scored, strict=True):
            replies[n] = self._written(route, asked, answers)
        return replies

    def _read(self, route: Protocol, body: bytes) -> Asked | Reply:
        try:
            asked = route.read(decoded(body), self.config)
        except BodyError as error:
            return refusal(400, str(error))
        except RecordError as error:
            return refusal(422, str(error))
        if len(asked.plays) > self.config.items:
            return refusal(
                422,
                f"{route.path}: {len(asked.plays)} items; at most {self.config.items} are taken in one request; "
                "send them in several, or start the server with a higher --items",
            )
        if route.alone and self.compares:
            return refusal(
                422,
                f"{route.path}: {self.compares}, and this route sends one play at a time; a reward of single plays is "
                "needed here; send whole groups to /score, or compare them in the trainer",
            )
        return asked

    def _again(self, read: list[tuple[int, Protocol, Asked]], scored: list[list[Answer]]) -> None:
        """Grades what is unscored once more, where the client of the route would not ask for it."""
        for attempt in range(self.config.retries):
            places = [
                (k, i)
                for k, (_, route, _) in enumerate(read)
                if route.again
                for i, a in enumerate(scored[k])
                if not a.scored and class_of(a.cause or "") not in FINAL
            ]
            if not places:
                return
            time.sleep(WAIT * 2**attempt)
            alone = [replace(read[k][2].plays[i], group=n) for n, (k, i) in enumerate(places)]
            for (k, i), answer in zip(places, self.scoring.score(alone), strict=True):
                scored[k][i] = answer

    def _written(self, route: Protocol, asked: Asked, answers: list[Answer]) -> Reply:
        try:
            out = route.write(asked, answers, self.config)
            reply = out if isinstance(out, Reply) else Reply(200, encoded(out))
        except (ValueError, TypeError) as error:  # a fact that JSON has no form for
            reply = refusal(
                500, f"{route.path}: the answer cannot be written as JSON ({sentence(error)}); mend the reward"
            )
        unscored = counted(answers)
        lost = sum(unscored.values()) if route.alone and route.path != "/get_reward" and reply.status == 200 else 0
        return replace(reply, items=len(answers), unscored=unscored, substituted=lost)
