"""The same graders on the machines of a Ray cluster: each actor holds a pool of its own.

with RayWorkers("ray://head:10001") as workers:
    batch = observe(batch, observers, workers=workers)
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from guerdon.errors import GuerdonError, MissingExtraError, UnknownNameError
from guerdon.evidence.pool import Pool
from guerdon.evidence.sending import Packed, pack, read, why
from guerdon.evidence.use import Grade, Here, Workers
from guerdon.records import Verdict

PARCEL = 256  # items of one request to an actor
PARCEL_BYTES = 8 << 20
TRIES = 2  # how often an item may have its actor lost
ABREAST = 2  # requests that an actor has at once, so that it does not wait for the next


class RayWorkers:
    """Graders on Ray: one actor per node, each with a `Pool` of its own; it keeps deadlines and limits.

    An actor that is lost (its process or its machine died) is replaced; the items that it had are
    tried once more, then unscored. Order is kept and every item is answered once.

    Args:
        address: "local" starts a Ray on this machine and ends it when closed; "auto" is the cluster that this
            machine belongs to; "ray://HOST:PORT" is reached as a client.
        actors: how many; None: one for each node of the cluster. They reserve no cores of Ray's.
        workers: processes of each actor's pool; None: as many as its node gives Ray cores.
        memory: bytes for each of them, as in `Pool`.

    Raises:
        MissingExtraError: ray is not installed.
        GuerdonError: there is no cluster at the address.

    Example:
        >>> RayWorkers("nowhere")
        Traceback (most recent call last):
        guerdon.errors.GuerdonError: RayWorkers: address is 'nowhere'; "local", "auto" or "ray://HOST:PORT" is needed
    """

    def __init__(
        self,
        address: str = "local",
        *,
        actors: int | None = None,
        workers: int | None = None,
        memory: int | None = 1 << 30,
    ):
        if address not in ("local", "auto") and not address.startswith("ray://"):
            raise GuerdonError(f'RayWorkers: address is {address!r}; "local", "auto" or "ray://HOST:PORT" is needed')
        self._ray = _ray()
        self._ours = not self._ray.is_initialized()  # a Ray that is in use already is used, and left running
        if self._ours:
            local = {"include_dashboard": False} if address == "local" else {}
            try:
                self._ray.init(address=address, log_to_driver=False, logging_level="error", **local)
            except Exception as error:
                raise GuerdonError(
                    f"RayWorkers: no Ray at {address!r} ({why(error)}); a running cluster is needed; start one with "
                    '`ray start --head`, or use "local"'
                ) from error
        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        self._nodes = [(node["NodeID"], int(node["Resources"]["CPU"])) for node in nodes]
        if not self._nodes:
            raise GuerdonError("RayWorkers: the cluster has no node with cores; at least one is needed; add one to it")
        self._workers, self._memory = workers, memory
        self._actors = [self._hire(i) for i in range(actors or len(self._nodes))]

    def run(self, grade: Grade, items: Sequence[tuple], deadline: float | None) -> list[Verdict]:
        """One verdict per item, in order; as `Pool.run`."""
        packed = pack(grade)
        verdicts: list[Verdict | None] = [None] * len(items)
        waiting = deque(_parcels(items, verdicts))
        asked: dict[Any, tuple[int, _Parcel]] = {}
        while waiting or asked:
            busy = [sum(who == i for who, _ in asked.values()) for i in range(len(self._actors))]
            while waiting and min(busy) < ABREAST:
                who = busy.index(min(busy))
                parcel = waiting.popleft()
                busy[who] += 1
                asked[self._actors[who].run.remote(packed, parcel.blobs, deadline)] = who, parcel
            done, _ = self._ray.wait(list(asked), num_returns=1)
            for answer in done:
                who, parcel = asked.pop(answer)
                try:
                    found = [read(body) for body in self._ray.get(answer)]
                    if len(found) != len(parcel.places):
                        raise GuerdonError(f"RayWorkers: {len(found)} verdicts came for {len(parcel.places)} items")
                except Exception as error:  # lost with its process or its machine, or not to be understood
                    self._lost(who, error)
                    waiting.extendleft(parcel.again(verdicts, error))
                    continue
                for place, verdict in zip(parcel.places, found, strict=True):
                    verdicts[place] = verdict
        return verdicts

    def close(self) -> None:
        """Ends the actors, and the Ray that was started here."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []
        if self._ours:
            self._ray.shutdown()
            self._ours = False

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _hire(self, i: int) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node, cores = self._nodes[i % len(self._nodes)]
        # No cores are reserved: an actor that replaces a lost one must not wait for resources that are gone.
        kept = self._ray.remote(
            num_cpus=0, max_concurrency=ABREAST + 1, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True)
        )(PoolActor)
        return kept.remote(self._workers or cores, self._memory)

    def _lost(self, who: int, error: Exception) -> None:
        """A new actor in the place of one that is no more; other faults leave it where it is."""
        if isinstance(error, self._ray.exceptions.RayActorError):
            try:
                self._ray.get(self._actors[who].ping.remote(), timeout=5)
            except Exception:  # it is gone indeed, and was not replaced yet
                self._ray.kill(self._actors[who])
                self._actors[who] = self._hire(who)


class PoolActor:
    """What runs on a node: a pool, asked in parcels."""

    def __init__(self, workers: int, memory: int | None):
        self.pool = Pool(workers, memory)

    def ping(self) -> int:
        """Which process it is."""
        import os

        return os.getpid()

    def run(self, packed: Packed, blobs: list[bytes], deadline: float | None) -> list[list]:
        """Verdicts in their plain form."""
        import json

        from guerdon.evidence.sending import written

        items = [pickle.loads(blob) for blob in blobs]
        return [json.loads(written(verdict)) for verdict in self.pool.run(packed, items, deadline)]


@dataclass
class _Parcel:
    """Some items on their way to an actor, and how often an actor was lost with them."""

    places: list[int] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    losses: int = 0

    def again(self, verdicts: list[Verdict | None], error: Exception) -> list[_Parcel]:
        """The same once more; nothing, and all unscored, where that was tried."""
        self.losses += 1
        if self.losses < TRIES:
            return [self]
        for place in self.places:
            verdicts[place] = Verdict.unscored(f"the Ray actor was lost twice at this item ({type(error).__name__})")
        return []


def _parcels(items: Sequence[tuple], verdicts: list[Verdict | None]) -> list[_Parcel]:
    parcels, room = [_Parcel()], PARCEL_BYTES
    most = max(1, min(PARCEL, -(-len(items) // 8)))
    for place, item in enumerate(items):
        try:
            blob = pickle.dumps(tuple(item), pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # concerns this item only
            verdicts[place] = Verdict.unscored(f"the item cannot be sent to a worker ({why(error)})")
            continue
        if parcels[-1].places and (len(parcels[-1].places) >= most or len(blob) > room):
            parcels.append(_Parcel())
            room = PARCEL_BYTES
        parcels[-1].places.append(place)
        parcels[-1].blobs.append(blob)
        room -= len(blob)
    return [parcel for parcel in parcels if parcel.places]


def workers_from(text: str) -> Workers:
    """The workers that `--workers TEXT` means.

    A number: a pool of so many processes; "here": this process, which keeps no deadline; "ray": a Ray started
    on this machine; "auto": the cluster this machine belongs to; "ray://HOST:PORT": a cluster elsewhere.

    Raises:
        GuerdonError: it is none of them.

    Example:
        >>> workers_from("2").workers
        2
        >>> workers_from("many")
        Traceback (most recent call last):
        guerdon.errors.UnknownNameError: --workers: 'many'; a number, here, ray, auto or ray://HOST:PORT is needed
    """
    return workers_named(text)()


def workers_named(text: str) -> Callable[[], Workers]:
    """What makes the workers of `workers_from`: that the name is one is known before anything is started.

    Raises:
        GuerdonError: it is none.

    Example:
        >>> workers_named("here")().run(lambda said: Verdict.score(said == "a"), [("a",)], None)[0].value
        1.0
    """
    made: dict[str, Callable[[], Workers]] = {
        "here": Here, "ray": lambda: RayWorkers("local"), "auto": lambda: RayWorkers("auto"),
    }  # fmt: skip
    if text in made:
        return made[text]
    if text.startswith("ray://"):
        return lambda: RayWorkers(text)
    if text.isascii() and text.isdigit() and int(text):
        return lambda: Pool(int(text))
    raise UnknownNameError(f"--workers: {text!r}; a number, here, ray, auto or ray://HOST:PORT is needed")


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingExtraError("RayWorkers: ray is not installed; it is needed; pip install 'guerdon[ray]'") from None
    return ray
