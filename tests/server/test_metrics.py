"""What is counted of a reply."""

from guerdon.server.metrics import Metrics
from guerdon.server.protocol import Reply


def test_a_reply_is_counted_once_in_each():
    metrics = Metrics(lambda: 3)
    metrics.replied("/slime", Reply(200, b"", items=3, unscored={"judge": 1, "deadline": 1}, substituted=2), 0.02)
    metrics.replied("/slime", Reply(422, b""), 0.001)
    said = metrics.text().decode()
    for line in (
        'guerdon_requests_total{route="/slime",status="200"} 1.0',
        'guerdon_requests_total{route="/slime",status="422"} 1.0',
        'guerdon_items_total{route="/slime"} 3.0',
        'guerdon_scored_total{route="/slime"} 1.0',
        'guerdon_unscored_total{cause="judge",route="/slime"} 1.0',
        'guerdon_unscored_as_total{route="/slime"} 2.0',
        'guerdon_request_seconds_bucket{le="0.025",route="/slime"} 2.0',
        "guerdon_in_flight 3.0",
    ):
        assert line in said
