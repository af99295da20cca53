"""Streams for the tests: two groups of trajectories of uneven steps of uneven numbers of tokens; every objective.

`objective` in the arguments of a test runs it on each of OBJECTIVES. `test_base.py` has the laws.
"""

import math
from dataclasses import fields, is_dataclass

import pytest
import torch

from guerdon import objectives as o
from guerdon.objectives import Pairs, Stream, Top

REDUCTIONS = (o.TokenMean(), o.SequenceMean(), o.StepMean(), o.ConstantLength(), o.ConstantLength(7),
              o.ConstantCount(11))  # fmt: skip
RATIOS = (
    o.TokenRatio(), o.StepRatio(), o.SequenceRatio(), o.SequenceProduct(), o.GeometricRatio(0.2, 0.3),
    o.TokenGradient(o.StepRatio()), o.TokenGradient(o.SequenceRatio()),
)  # fmt: skip
WEIGHTS = (
    o.Same(), o.Bounded(0.2, 0.3), o.Bounded(1.0, math.inf), o.BySign(o.Bounded(0.2, 10.0), o.Bounded(1.0, 100.0)),
    o.Gamma(2.0, 3.0), o.Within(0.1, 0.1, cap=3.0), o.Within(0.02, 0.05, o.BinaryKL()),
)  # fmt: skip
OBJECTIVES = (
    *(o.Clipped(ratio=ratio) for ratio in RATIOS),
    *(o.Clipped(ratio=o.StepRatio(), reduce=reduce) for reduce in REDUCTIONS[1:]),
    o.Clipped(dual=3.0),
    o.PlayClipped(0.1, 0.3),
    o.Clipped(0.1, 0.3, ratio=o.StepRatio(), dual=1.5),
    o.Clipped(1.0, math.inf, ratio=o.GeometricRatio(), reduce=o.SequenceMean()),
    *(o.Reinforce(weight) for weight in WEIGHTS),
    *(o.Reinforce(o.Bounded(), ratio) for ratio in RATIOS),
    *(
        o.Reinforce(o.BySign(o.Gamma(2.0, 3.0), o.Gamma(3.0, 2.0)), o.SequenceProduct(), reduce)
        for reduce in REDUCTIONS
    ),
    *(o.SoftClipped(ratio=ratio) for ratio in RATIOS),
    o.SoftClipped(0.5, 4.0, reduce=o.TokenMean()),
    *(o.KL(0.1, estimator, reduce) for estimator in (o.K1(), o.K2(), o.K3()) for reduce in REDUCTIONS),
    *(o.Entropy(0.01, reduce) for reduce in REDUCTIONS),
    *(o.Imitate(0.5, reduce=reduce) for reduce in REDUCTIONS),
    0.5 * (o.Clipped(0.2, 0.28, reduce=o.SequenceMean()) + o.KL(0.04)) + o.Entropy(0.01),
)
OBJECTIVES += (
    *(o.KL(0.1, o.K3(), reference=o.Given(name), name=name) for name in ("old_logprob", "teacher_logprob")),
    o.KL(0.1, o.Forward(), reference=o.Tempered(0.3)),
    o.KL(0.1, o.Forward(2.0), reference=o.Fixed(-2.0)),
    *(o.Distil(d) for d in (o.ForwardKL(), o.ReverseKL(), o.JensenShannon(0.3))),
    o.Distil(o.Mixture(((0.5, o.ForwardKL()), (0.5, o.ReverseKL()))), 0.5, o.Renormalised(2.0), o.SequenceMean()),
    o.Distil(o.JensenShannon(), most=2.0),
    *(o.Regress(0.1, ratio=ratio) for ratio in (o.TokenRatio(), o.StepRatio(), o.StepProduct(), o.SequenceRatio())),
    o.Regress(0.1, o.Outcome(), reference=o.Fixed(-1.0), reduce=o.StepMean()),
    *(o.AdvantageWeighted(0.5, reduce=reduce) for reduce in REDUCTIONS),
    *(o.Likelihood(form) for form in (o.MeanProbability(), o.Probability(), o.LogProbability())),
    o.Scheduled(o.Clipped(), o.Cosine(0.0, 1.0, 10)),
    o.Clipped() + o.Scheduled(o.On("replayed", o.Clipped(ratio=o.StepRatio())), o.After(2, o.Linear(0.0, 1.0, 4))),
    o.On("replayed", o.On("replayed", o.Entropy(0.1))),
)
OBJECTIVES += (
    o.Only(o.BandCovariance(0.3, -1.0, 5.0), o.Clipped(0.2, 0.28)),
    o.Clipped() + o.Only(o.TopCovariance(0.2), o.KL(0.5, o.Absolute(), reference=o.Given("old_logprob"))),
)
BY_OUTCOME = o.BestAgainstWorst(o.Outcome())
OBJECTIVES += (
    *(o.Preference(0.5, choice=choice) for choice in (o.BestAgainstWorst(), BY_OUTCOME, o.Listed())),
    o.Preference(2.0, o.PlayMean(), o.Listed(), o.SoftLabel(), o.Guided(0.3, o.FromTeacher())),
    o.Preference(0.5, choice=BY_OUTCOME) + o.TokenRegularised(0.25, 0.5, choice=BY_OUTCOME),
    *(o.PairClipped(bound=bound, choice=c) for bound in (o.Separate(), o.Joint()) for c in (o.Listed(), BY_OUTCOME)),
    o.PairClipped(ratio=o.PlayMean()),
    *(o.Classified(form=form) for form in (o.Anchored(), o.Circle(), o.Singly())),
    *(o.ImplicitCritic(balanced=balanced) for balanced in (True, False)),
    o.ImitateBest() + o.KL(0.2),
)
HOLDS = (o.Reinforce, o.TokenGradient, o.TokenRegularised)  # their gradient is not that of their value


def holds(x):
    """True where a part of x is held fixed."""
    inside = [getattr(x, f.name) for f in fields(x)] if is_dataclass(x) else list(x) if isinstance(x, tuple) else []
    return isinstance(x, HOLDS) or (isinstance(x, o.Distil) and x.most is not None) or any(holds(y) for y in inside)


@pytest.fixture(params=OBJECTIVES, ids=str)
def objective(request):
    """Every objective."""
    return request.param


@pytest.fixture(params=[x for x in OBJECTIVES if not holds(x)], ids=str)
def smooth_objective(request):
    """Every objective whose gradient is that of its value."""
    return request.param


def random_stream(seed=0, *, far=0.4, dtype=torch.float64, weighted=False, requires_grad=True, deep=1):
    """Five trajectories; `far` is the size of the log-ratios, so that some tokens are outside the clip.

    It has every optional field, and a stream beside it that is called "replayed", unless `deep` is 0.
    """
    rng = torch.Generator().manual_seed(seed)

    def normal(n):
        return torch.randn(n, generator=rng, dtype=torch.float64)

    steps_of = torch.randint(1, 4, (5,), generator=rng)
    sequence_of_step = torch.repeat_interleave(torch.arange(5), steps_of)
    tokens_of = torch.randint(1, 5, (len(sequence_of_step),), generator=rng)
    step = torch.repeat_interleave(torch.arange(len(tokens_of)), tokens_of)
    n = len(step)
    old = -normal(n).abs() - 0.1
    weight = torch.tensor([0.0, 1.0, 1.0, 0.5])[torch.randint(0, 4, (n,), generator=rng)] if weighted else None
    # The seven words of the vocabulary, of which the first four are looked at.
    student, teacher = (normal(n * 7).reshape(n, 7).log_softmax(-1)[:, :4].to(dtype) for _ in range(2))
    more = {"far": far, "dtype": dtype, "weighted": weighted, "requires_grad": requires_grad}
    return Stream.of(
        (old + far * normal(n)).to(dtype).requires_grad_(requires_grad),
        old.to(dtype),
        normal(n).to(dtype),
        step,
        sequence_of_step[step],
        entropy=normal(n).abs().to(dtype),
        ref_logprob=(old + far * normal(n)).to(dtype),
        teacher_logprob=(old + far * normal(n)).to(dtype),
        weight=weight,
        outcome=torch.tensor([1.0, 0.0, 0.25, 1.0, 0.0], dtype=dtype),
        group=torch.tensor([0, 0, 0, 1, 1]),
        top=Top(student.requires_grad_(requires_grad), teacher),
        pairs=Pairs(torch.tensor([0, 2, 3]), torch.tensor([1, 0, 4]), torch.tensor([1.0, -2.0, 0.5], dtype=dtype), 3),
        beside={"replayed": random_stream(seed + 100, deep=deep - 1, **more)} if deep else {},
        iteration=4,
    )


@pytest.fixture
def stream_of():
    return random_stream


@pytest.fixture(params=range(8))
def stream(request):
    """Eight random streams in float64, every second one with weights, some of them zero."""
    return random_stream(request.param, weighted=request.param % 2 == 1)
