"""The limit: how soon harm could be seen by one who knew both models, and bet on nothing else all along."""

import math

from mlneuron_operator.rollout.betting import Pair, Tally, nearest
from mlneuron_operator.rollout.guards import P95, Guard, Question
from mlneuron_operator.rollout.latency import beyond, quantile

from bench.rollout.simulate import Model, Pairing


def fewest(pairing: Pairing, guard: Guard, question: Question) -> float:
    """Requests of the variant until the best bet is expected to have been won (Wald)."""
    p, v = rates(pairing, guard, question)
    margin, load = guard.margins()[question], pairing.load
    trials = load.feedback if question is Question.ACCURACY else 1.0
    block = Pair(Tally(trials * (1 - load.share) / load.share), Tally(trials))
    null = nearest(p, v, margin, block)
    growth = block.primary.trials * divergence(p, null) + trials * divergence(v, null + margin)
    return guard.enough / growth


def rates(pairing: Pairing, guard: Guard, question: Question) -> tuple[float, float]:
    """The primary's and the variant's share that the question is about."""
    models = pairing.primary, pairing.variant
    if question is Question.LATENCY:
        threshold = quantile(pairing.primary.buckets.tolist(), P95) or math.inf
        return slower(models[0], threshold), slower(models[1], threshold * (1 + guard.max_p95_increase))
    if question is Question.ERRORS:
        return models[0].error_rate, models[1].error_rate
    return 1 - models[0].accuracy, 1 - models[1].accuracy


def slower(model: Model, seconds: float) -> float:
    """The share of requests that takes longer."""
    return beyond(model.buckets.tolist(), seconds)


def divergence(rate: float, null: float) -> float:
    """Of Kullback and Leibler, between two Bernoulli trials, in nats."""
    return rate * math.log(rate / null) + (1 - rate) * math.log((1 - rate) / (1 - null))
