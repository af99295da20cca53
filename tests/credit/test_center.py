"""center: worked by hand, laws, agreement with slow loops, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.credit import Mean, Others, Std, center
from guerdon.credit.center import BestOther, Percentile, Rms
from guerdon.errors import ShapeError, UnscoredError

RULES = [(b, s) for b in (Mean(), Others(), Percentile(0.3), BestOther()) for s in (None, Std(), Rms())]


@st.composite
def samples(draw):
    """Scores in buckets of random sizes, with owners, votes and gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 30))
    return {
        "x": rng.integers(-4, 5, n) / 4,
        "by": rng.integers(0, 4, n),
        "valid": rng.random(n) < 0.8,
        "weight": rng.choice([0.0, 0.5, 1.0, 2.0], n),
        "owner": rng.integers(0, 6, n),
    }


# Worked by hand.


def test_three_answers_to_one_question():
    x, by = np.array([1.0, 0.0, 0.0]), np.zeros(3, int)
    assert center(x, by) == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    assert center(x, by, baseline=Others()) == pytest.approx([1, -1 / 2, -1 / 2])
    assert center(x, by, scale=Std(0.0)) == pytest.approx([2 / 3**0.5, -1 / 3**0.5, -1 / 3**0.5])


def test_an_unscored_answer_is_not_a_wrong_answer():
    x, valid = np.array([1.0, 0.0, np.nan]), np.array([True, True, False])
    assert center(x, np.zeros(3, int), valid=valid).tolist() == [0.5, -0.5, 0.0]


def test_leaving_out_ones_own_trajectory_leaves_out_all_of_its_steps():
    # Owner 0 has steps 1, 3; owner 1 has 0; owner 2 has 6. Against owner 0: mean(0, 6) = 3.
    x, owner = np.array([1.0, 3.0, 0.0, 6.0]), np.array([0, 0, 1, 2])
    expected = [1 - 3, 3 - 3, 0 - 10 / 3, 6 - 4 / 3]
    assert center(x, np.zeros(4, int), baseline=Others(), owner=owner) == pytest.approx(expected)


def test_steps_without_others_trajectories_get_zero():
    x, by, owner = np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    assert center(x, by, baseline=Others(), owner=owner).tolist() == [0.0, 0.0, -2.0, 2.0]


def test_weight_zero_gets_credit_but_no_vote():
    x, weight = np.array([1.0, 0.0, 5.0]), np.array([1.0, 1.0, 0.0])
    assert center(x, np.zeros(3, int), weight=weight).tolist() == [0.5, -0.5, 4.5]


def test_weights_count_as_copies():
    x, by = np.array([1.0, 0.0]), np.zeros(2, int)
    three = center(np.array([1.0, 1.0, 1.0, 0.0]), np.zeros(4, int))
    assert center(x, by, weight=np.array([3.0, 1.0])) == pytest.approx(three[[0, 3]])


def test_the_median_is_blind_to_an_outlier():
    x = np.array([0.0, 1.0, 100.0, 2.0])
    assert center(x, np.zeros(4, int), baseline=Percentile(0.5)).tolist() == [-1.5, -0.5, 98.5, 0.5]
    assert center(x, np.zeros(4, int), baseline=Percentile(1.0)).tolist() == [-100.0, -99.0, 0.0, -98.0]


def test_only_the_best_beats_the_others():
    x, by = np.array([5.0, 3.0, 1.0, 4.0, 4.0]), np.array([0, 0, 0, 1, 1])
    assert center(x, by, baseline=BestOther()).tolist() == [2.0, -2.0, -4.0, 0.0, 0.0]


def test_the_best_of_another_owner_may_be_third():
    x, owner = np.array([9.0, 8.0, 5.0]), np.array([0, 0, 1])
    assert center(x, np.zeros(3, int), baseline=BestOther(), owner=owner).tolist() == [4.0, 3.0, -4.0]


def test_one_who_does_not_vote_is_no_rival():
    x, weight = np.array([9.0, 2.0, 1.0]), np.array([0.0, 1.0, 1.0])
    assert center(x, np.zeros(3, int), baseline=BestOther(), weight=weight).tolist() == [7.0, 1.0, -1.0]


# Laws.


@given(samples())
def test_each_bucket_sums_to_zero(s):
    assert np.bincount(s["by"], weights=center(s["x"], s["by"])) == pytest.approx(0, abs=1e-12)


@given(samples())
def test_a_bonus_for_the_whole_bucket_changes_nothing(s):
    for baseline, scale in RULES:
        plain = center(s["x"], s["by"], baseline=baseline, scale=scale, valid=s["valid"], owner=s["owner"])
        raised = center(
            s["x"] + 8.0 * s["by"], s["by"], baseline=baseline, scale=scale, valid=s["valid"], owner=s["owner"]
        )
        assert raised == pytest.approx(plain)


@given(samples())
def test_std_is_blind_to_the_unit(s):
    a = center(s["x"], s["by"], scale=Std(0.0), valid=s["valid"])
    assert center(100 * s["x"], s["by"], scale=Std(0.0), valid=s["valid"]) == pytest.approx(a)


@given(samples(), st.integers(0, 1000))
def test_order_and_labels_do_not_matter(s, seed):
    p = np.random.default_rng(seed).permutation(len(s["x"]))
    for baseline, scale in RULES:
        plain = center(**s, baseline=baseline, scale=scale)
        moved = {k: v[p] for k, v in s.items()} | {"by": 1000 - 7 * s["by"][p], "owner": -3 * s["owner"][p]}
        assert center(**moved, baseline=baseline, scale=scale) == pytest.approx(plain[p])


@given(samples())
def test_what_is_not_valid_changes_nothing_and_gets_zero(s):
    for baseline, scale in RULES:
        plain = center(**s, baseline=baseline, scale=scale)
        other = s | {"x": np.where(s["valid"], s["x"], np.nan)}
        assert center(**other, baseline=baseline, scale=scale).tolist() == plain.tolist()
        assert (plain[~s["valid"]] == 0).all()
        kept = {k: v[s["valid"]] for k, v in s.items()}
        assert center(**kept, baseline=baseline, scale=scale) == pytest.approx(plain[s["valid"]])


@given(st.floats(-1e6, 1e6), st.integers(1, 9))
def test_a_bucket_that_agrees_gets_exactly_zero(value, k):
    for baseline, scale in RULES:
        assert (center(np.full(k, value), np.zeros(k, int), baseline=baseline, scale=scale) == 0).all()


@given(samples())
def test_others_is_mean_times_k_over_k_minus_one(s):
    k = np.bincount(s["by"])[s["by"]]
    expected = center(s["x"], s["by"]) * k / np.maximum(k - 1, 1)
    assert center(s["x"], s["by"], baseline=Others()) == pytest.approx(expected)


def test_leave_one_out_does_not_move_with_ones_own_value():
    by, owner = np.zeros(4, int), np.array([0, 0, 1, 1])
    low = center(np.array([0.0, 1.0, 2.0, 3.0]), by, baseline=Others(), owner=owner)
    high = center(np.array([9.0, 1.0, 2.0, 3.0]), by, baseline=Others(), owner=owner)
    assert (high - low)[:2] == pytest.approx([9, 0])


@given(samples())
def test_rms_is_std_times_the_root_of_the_count(s):
    k = np.bincount(s["by"])[s["by"]]
    root = np.sqrt(k / np.maximum(k - 1, 1))
    assert center(s["x"], s["by"], scale=Rms(0.0)) == pytest.approx(center(s["x"], s["by"], scale=Std(0.0)) * root)


@given(samples(), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_a_percentile_of_equal_votes_is_numpys(s, q):
    valid = s["valid"]
    a = center(s["x"], s["by"], baseline=Percentile(q), valid=valid)
    for i in range(len(a)):
        voters = s["x"][(s["by"] == s["by"][i]) & valid]
        expected = s["x"][i] - np.quantile(voters, q) if valid[i] and len(voters) > 1 else 0.0
        assert a[i] == pytest.approx(expected, abs=1e-12)


@given(samples(), st.floats(0.01, 100))
def test_a_percentile_does_not_move_when_every_vote_is_scaled(s, factor):
    rest = {k: v for k, v in s.items() if k != "weight"}
    plain = center(**s, baseline=Percentile(0.4))
    assert center(**rest, weight=factor * s["weight"], baseline=Percentile(0.4)) == pytest.approx(plain, abs=1e-9)


@given(samples(), st.floats(0, 1))
def test_a_weighted_percentile_lies_between_its_voters(s, q):
    votes = s["valid"] & (s["weight"] > 0)
    a = center(**s, baseline=Percentile(q))
    for i in np.flatnonzero(s["valid"] & (a != 0)):
        voters = s["x"][(s["by"] == s["by"][i]) & votes]
        assert voters.min() - 1e-9 <= s["x"][i] - a[i] <= voters.max() + 1e-9


# Agreement with the same thing written slowly.


@given(samples())
def test_matches_the_loop(s):
    x, by, owner = s["x"], s["by"], s["owner"]
    votes = np.where(s["valid"], s["weight"], 0.0)
    fast = {
        "mean": center(**s),
        "others": center(**s, baseline=Others()),
        "std": center(**s, scale=Std(1e-4)),
        "best": center(**s, baseline=BestOther()),
    }
    for i in range(len(x)):
        bucket = by == by[i]
        company = (votes[bucket] > 0).sum() > (votes[i] > 0)
        strangers = bucket & (owner != owner[i]) & (votes > 0)
        mean = spread = other = best = 0.0
        if s["valid"][i] and company:
            m = np.average(x[bucket], weights=votes[bucket])
            mean = x[i] - m
            w = votes[bucket]
            free = w.sum() - (w**2).sum() / w.sum()
            if free > 0 and (std := np.sqrt((w * (x[bucket] - m) ** 2).sum() / free)) > 0:
                spread = mean / (std + 1e-4)
        if s["valid"][i] and strangers.any():
            other = x[i] - np.average(x[strangers], weights=votes[strangers])
            best = x[i] - x[strangers].max()
        assert fast["mean"][i] == pytest.approx(mean)
        assert fast["std"][i] == pytest.approx(spread, abs=1e-6)
        assert fast["others"][i] == pytest.approx(other)
        assert fast["best"][i] == pytest.approx(best)


# Bad input says what to do.


@pytest.mark.bad_input
def test_nan_is_refused_and_the_message_names_the_way_out():
    with pytest.raises(UnscoredError, match=r"at \[1\].*valid="):
        center(np.array([0.0, np.nan]), np.zeros(2, int))


@pytest.mark.bad_input
@pytest.mark.parametrize("name", ["by", "valid", "weight", "owner"])
def test_another_length_is_refused(name):
    given_ = {"by": np.zeros(2, int), name: np.zeros(3, bool if name == "valid" else float)}
    with pytest.raises(ShapeError, match=f"{name} has 3"):
        center(np.zeros(2), **given_)


@pytest.mark.bad_input
def test_a_negative_vote_is_refused():
    with pytest.raises(ShapeError, match="negative"):
        center(np.zeros(2), np.zeros(2, int), weight=np.array([1.0, -1.0]))


@pytest.mark.parametrize("q", [-0.1, 1.5])
def test_a_share_outside_0_and_1_is_refused(q):
    with pytest.raises(ShapeError, match=f"q is {q}"):
        Percentile(q)


def test_an_empty_batch_has_no_credit():
    for baseline, scale in RULES:
        assert len(center(np.zeros(0), np.zeros(0, int), baseline=baseline, scale=scale)) == 0
