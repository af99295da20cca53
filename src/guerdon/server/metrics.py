"""What is counted, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from guerdon.server.protocol import Reply

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """The counters of one server, in a registry of its own.

    Args:
        in_flight: how many requests wait or are worked on now.
    """

    def __init__(self, in_flight: Callable[[], int]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"guerdon_{name}", about, labels, registry=self.registry)

        self.requests = counter("requests", "Requests, by route and status.", "route", "status")
        self.items = counter("items", "Plays that were answered, by route.", "route")
        self.scored = counter("scored", "Plays that got a score, by route.", "route")
        self.unscored = counter("unscored", "Plays that got none, by route and class of cause.", "route", "cause")
        self.substituted = counter("unscored_as", "Unscored plays answered with the number of --unscored-as.", "route")
        self.gone = counter("clients_gone", "Clients that went away before their reply.", "route")
        self.restarts = counter("scorer_restarts", "Scoring processes that were begun again.")
        self.latency = Histogram(
            "guerdon_request_seconds", "From the whole body to the reply.", ["route"], buckets=LATENCY,
            registry=self.registry,
        )  # fmt: skip
        Gauge("guerdon_in_flight", "Requests that wait or are worked on.", registry=self.registry).set_function(
            in_flight
        )
        self._kept: dict[tuple[str, int], tuple] = {}

    def replied(self, route: str, reply: Reply, seconds: float) -> None:
        """Counts one reply."""
        key = route, reply.status
        if key not in self._kept:  # `labels` is slow, so what it gives is kept
            about = (m.labels(route) for m in (self.items, self.scored, self.latency))
            self._kept[key] = (self.requests.labels(route, str(reply.status)), *about)
        requests, items, scored, latency = self._kept[key]
        requests.inc()
        latency.observe(seconds)
        items.inc(reply.items)
        scored.inc(reply.items - sum(reply.unscored.values()))
        for cause, n in reply.unscored.items():
            self.unscored.labels(route, cause).inc(n)
        if reply.substituted:
            self.substituted.labels(route).inc(reply.substituted)

    def text(self) -> bytes:
        """What /metrics says."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
