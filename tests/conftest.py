"""What every test shares: the markers, and how much hypothesis tries."""

import os

import pytest
from hypothesis import HealthCheck, settings

MARKERS = {
    "bad_input": "the message a user gets; the shape checker would speak first, so it is left out of the checked run",
    "speed": "a figure that is promised; needs a quiet machine",
    "slow": "takes more than ten seconds",
}

# No deadline: two cores are shared. In CI the examples are the same in every run.
settings.register_profile(
    "default", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the markers, so that a misspelt one is an error under --strict-markers."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
