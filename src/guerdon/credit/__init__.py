"""Which part earned it: one primitive for each thing that papers differ in. Pure numpy.

    advantage = centred(fact("outcome"), scale=Std()) + 0.5 * step_term(gain("belief"))
    batch = assign(batch, advantage)

Compared with what? `centred`, `ranked`, `less`, by keys (`Turn`, `Fork`, ...), baselines (`Others`, ...) and scales
(`Std`, ...). What came after? `to_go_of`, `gae_of`, `n_step_of`, `lambda_of` under a clock, `min_form_of`, `pooled`.
Which step? `gain` of a value, `backup` of a tree, `by_features`, `by_criterion`. Afterwards: `modulate` and its masks,
`merge_average`, `rescaled` and other clean-up. From elsewhere: pairs (`pairwise`), earlier batches (`standardised`).
Against what? `at_size_of`, `shuffled`. The mathematics is plain functions on flat arrays with a segment id per value
(`center`, `gae`, `merged`, ...). What one method alone needs is in the modules: docs/credit.md says where.
"""

from guerdon.credit.anytime import above_past, elapsed, phase_weight, stopping_prior, weighted_to_go
from guerdon.credit.base import Credit, Signal, assign, step_term
from guerdon.credit.center import Baseline, BestOther, Mean, Others, Percentile, Rms, Scale, Std, center
from guerdon.credit.clean import alive, balanced, bounded, covariance_clip, only_where, recalibrated, rescaled
from guerdon.credit.clocks import Clock, Every, PerSegment, PerStep, PerToken, tick_end
from guerdon.credit.compare import LENGTH, centred, less, per_batch_std, positive_part, ranked, whitened
from guerdon.credit.control import at_size_of, shuffled
from guerdon.credit.criteria import Criteria, by_criterion, checklist
from guerdon.credit.history import Ema, History, Multiplier, RecentQuantile, standardised
from guerdon.credit.keys import Everything, Fork, Key, Keys, Named, Randomly, Turn
from guerdon.credit.merge import Recent, merge_average, merged
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
from guerdon.credit.modulate import calibrated, clarity, min_max, modulate, selective, sign_scaled, top_share
from guerdon.credit.pairs import PairStd, against_one, as_given, pairwise, preferred
from guerdon.credit.pooled import pooled
from guerdon.credit.progress import before_end, closed_gain, gain, termination_baseline, to_go_above_rate
from guerdon.credit.prune import keep_best, keep_extremes, without_depths
from guerdon.credit.redistribute import RandomSubset, WholeSum, by_features, credit_or_blame, keeping_sum
from guerdon.credit.temporal import (
    gae,
    gae_of,
    known_to_go,
    lambda_of,
    lambda_return,
    least,
    n_step,
    n_step_of,
    next_values,
    to_go_of,
)
from guerdon.credit.tokens import token_mean, token_share
from guerdon.credit.tree import (
    Leaves,
    PathProbability,
    among_siblings,
    at_depth,
    backup,
    branch_values,
    first_through,
    node_mean,
    once,
    over_parent,
)
from guerdon.segments import to_go

__all__ = [  # noqa: RUF022  (by module, in the order of a sentence about credit)
    # base
    "Credit", "Signal", "assign", "step_term",
    # center
    "Baseline", "BestOther", "Mean", "Others", "Percentile", "Rms", "Scale", "Std", "center",
    # keys
    "Everything", "Fork", "Key", "Keys", "Named", "Randomly", "Turn",
    # compare
    "LENGTH", "centred", "less", "per_batch_std", "positive_part", "ranked", "whitened",
    # temporal
    "gae", "gae_of", "known_to_go", "lambda_of", "lambda_return", "least", "n_step", "n_step_of", "next_values",
    "to_go", "to_go_of",
    # clocks
    "Clock", "Every", "PerSegment", "PerStep", "PerToken", "tick_end",
    # minform
    "Form", "HardMin", "SoftMin", "min_form_of", "rate_of_others", "soft_min", "soft_min_rewards", "tokens_of_step",
    # pooled
    "pooled",
    # progress
    "before_end", "closed_gain", "gain", "termination_baseline", "to_go_above_rate",
    # anytime
    "above_past", "elapsed", "phase_weight", "stopping_prior", "weighted_to_go",
    # merge
    "Recent", "merge_average", "merged",
    # tree
    "Leaves", "PathProbability", "among_siblings", "at_depth", "backup", "branch_values", "first_through", "node_mean",
    "once", "over_parent",
    # prune
    "keep_best", "keep_extremes", "without_depths",
    # redistribute
    "RandomSubset", "WholeSum", "by_features", "credit_or_blame", "keeping_sum",
    # modulate
    "calibrated", "clarity", "min_max", "modulate", "selective", "sign_scaled", "top_share",
    # tokens
    "token_mean", "token_share",
    # clean
    "alive", "balanced", "bounded", "covariance_clip", "only_where", "recalibrated", "rescaled",
    # pairs
    "PairStd", "against_one", "as_given", "pairwise", "preferred",
    # criteria
    "Criteria", "by_criterion", "checklist",
    # history
    "Ema", "History", "Multiplier", "RecentQuantile", "standardised",
    # control
    "at_size_of", "shuffled",
]  # fmt: skip
