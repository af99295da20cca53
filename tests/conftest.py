"""What every test shares: how much hypothesis tries. (The markers are in pyproject.toml.)"""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

# No deadline: two cores are shared. In CI the examples are the same in every run. With LAWS=few there are ten of each:
# enough where each call is looked at for its shapes alone, and the plain run has tried the laws.
EXAMPLES = 10 if os.environ.get("LAWS") == "few" else 40
settings.register_profile(
    "default",
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# Where Python may not write compiled files beside the sources, each process that a test starts would compile all of
# guerdon anew, which takes longer than most tests.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"))
