"""Which part earned it: comparing, returns to go, critics, min-form, controls. Pure numpy.

    advantage = centred(fact("outcome"), scale=Std()) + 0.5 * step_term(delta(fact("progress")))
    batch = assign(batch, advantage)

`center`, `gae` and the rest of the mathematics are plain functions on flat arrays with a
segment id per value; `centred`, `to_go_of`, `gae_of`, `min_form_of` and `step_term` make
credits of terms with them.
"""

from guerdon.credit.base import Credit, Signal, assign, step_term
from guerdon.credit.center import Baseline, Mean, Others, Scale, Std, center
from guerdon.credit.compare import centred, whitened
from guerdon.credit.control import at_size_of, shuffled
from guerdon.credit.keys import Everything, Fork, Key, Keys, Randomly, Turn
from guerdon.credit.minform import (
    Form,
    HardMin,
    SoftMin,
    min_form_of,
    rate_of_others,
    soft_min,
    soft_min_rewards,
    tokens_of_step,
)
from guerdon.credit.modulate import modulate
from guerdon.credit.temporal import gae, gae_of, known_to_go, next_values, to_go_of
from guerdon.segments import to_go

__all__ = [
    "Baseline", "Credit", "Everything", "Fork", "Form", "HardMin", "Key", "Keys", "Mean", "Others", "Randomly", "Scale",
    "Signal", "SoftMin", "Std", "Turn",
    "assign", "at_size_of", "center", "centred", "gae", "gae_of", "known_to_go", "min_form_of", "modulate",
    "next_values", "rate_of_others", "shuffled", "soft_min", "soft_min_rewards", "step_term", "to_go", "to_go_of",
    "tokens_of_step", "whitened",
]  # fmt: skip
