"""What is noted of learners: by the seed's codes, after they came, and without moving anything else."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lifecourse.simulator import world
from lifecourse.simulator.almanac import end_of
from lifecourse.simulator.fault_plan import load_plan
from lifecourse.simulator.sheets import DAY
from lifecourse.simulator.world import make_block
from tests.unit.simulator.worlds import LAST, WORLD, checksum, rows, there

SEED = Path(__file__).parents[3] / "dbt_project" / "seeds" / "identity" / "trait_codes.csv"
END = end_of(LAST)


@pytest.mark.parametrize("plan", ["none", "default"])
def test_nothing_else_of_the_institution_moves_with_traits(
    plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others_of_a_block(with_traits: bool) -> tuple[list[str], list[object]]:
        block, planting = make_block(WORLD, 0, load_plan(plan))
        assert ("learner_traits" in block.sheets) == with_traits
        others = [sheet for name, sheet in block.sheets.items() if name != "learner_traits"]
        struck = [(p.kind, p.table, p.keys.tolist(), p.expect, p.since.tolist()) for p in planting.planted]
        return [checksum(others, END), checksum(others, END + 90 * DAY)], struck

    having = others_of_a_block(with_traits=True)
    monkeypatch.setattr(world, "add_traits", lambda block: None)
    assert others_of_a_block(with_traits=False) == having


def test_every_code_has_words_and_every_word_of_the_seed_is_noted() -> None:
    with SEED.open(encoding="utf-8") as file:
        known = {(row["kind"], row["code"]) for row in csv.DictReader(file)}
    noted = rows(END)["learner_traits"]
    assert set(zip(noted["kind"], noted["code"], strict=True)) == known


def test_traits_are_noted_once_the_learner_is_there_and_some_are_taken_back() -> None:
    tables = rows(END)
    noted, learners = tables["learner_traits"], tables["learners"]
    since = dict(zip(learners["learner_id"].tolist(), learners["registered_at"].tolist(), strict=True))
    came = np.array([since[learner] for learner in noted["learner_id"].tolist()])
    assert (noted["noted_at"] > came).all()
    back = there(noted["withdrawn_at"])
    assert (noted["withdrawn_at"][back] > noted["noted_at"][back]).all()
    assert 0.03 < back.mean() < 0.12
    assert 0.5 < len(set(noted["learner_id"].tolist())) / len(since) < 1
    # Of one learner a code is noted once.
    pairs = list(zip(noted["learner_id"].tolist(), noted["kind"], noted["code"], strict=True))
    assert len(set(pairs)) == len(pairs)
