"""The simulated institution exercises the whole lifecycle: every stage, signal and reason occurs."""

from __future__ import annotations

from collections import Counter

import pytest

from lifecourse.simulator.almanac import end_of
from tests.reference.lifecycle_reference import SIGNALS, lifecycle
from tests.unit.simulator.histories import histories, institution_of
from tests.unit.simulator.worlds import LAST, WORLD

pytestmark = pytest.mark.slow


def test_every_stage_signal_and_reason_occurs() -> None:
    moment, day = end_of(LAST), LAST.toordinal()
    institution = institution_of(WORLD, moment)
    stages: Counter[str] = Counter()
    now: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    signals: Counter[str] = Counter()
    for history in histories(WORLD, moment):
        found = lifecycle(history, day, institution)
        stages.update(s.stage_code for s in found.spans)
        now.update(s.stage_code for s in found.spans if s.valid_to is None)
        reasons.update((t.layer, t.reason_code) for t in found.transitions)
        signals.update(s.signal_code for s in found.signals)
    every = {"prospect", "onboarding", "growth", "mature", "danger", "terminated", "dormant"}
    assert set(stages) == every
    assert all(now[stage] >= 10 for stage in every)
    assert all(signals[signal] >= 10 for signal in SIGNALS)
    base = ("first_contact", "first_purchase", "repeat_purchase", "won_back", "first_course_completed", "continued_use",
            "maturity_reached", "lapsed", "withdrew", "refunded", "dormancy")  # fmt: skip
    danger = ("signal_opened", "signals_cleared", "run_ended")
    assert all(reasons["base", reason] >= 5 for reason in base)
    assert all(reasons["danger", reason] >= 5 for reason in danger)
