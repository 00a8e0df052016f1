"""The seeds of identity: what is refused, and where it says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.identity.rules import Pair, read_rules
from lifecourse.settings import PROJECT


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds" / "identity"
    shutil.copytree(PROJECT / "dbt_project" / "seeds" / "identity", folder)
    return folder


def test_the_shipped_seeds_can_be_read() -> None:
    rules = read_rules()
    assert rules.max_guardians > 1 and rules.max_learners > 1
    assert rules.strengths["explicit_learner", "person"] == 1
    assert rules.forced == rules.forbidden == ()


def test_pairs(seeds: Path) -> None:
    (seeds / "identity_forced.csv").write_text(
        "record,other_record,level,note\nlead:1,learner:2,person,twins\ncontact:3,learner:2,account,\n"
    )
    assert read_rules(seeds.parent.parent).forced == (
        Pair("lead:1", "learner:2", "person"),
        Pair("contact:3", "learner:2", "account"),
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("1,learner:2,person,", "two records", id="no kind of record"),
        pytest.param("lead:1,lead:1,person,", "two records", id="one and the same"),
        pytest.param("contact:1,learner:2,person,", "level", id="a contact is no learner"),
        pytest.param("lead:1,learner:2,family,", "level", id="no such level"),
    ],
)
def test_a_pair_that_cannot_be_is_refused(seeds: Path, line: str, said: str) -> None:
    (seeds / "identity_forbidden.csv").write_text(f"record,other_record,level,note\n{line}\n")
    with pytest.raises(LifecourseError, match=said) as caught:
        read_rules(seeds.parent.parent)
    assert "identity_forbidden.csv:2" in str(caught.value)


def test_a_limit_must_be_a_number(seeds: Path) -> None:
    (seeds / "identity_rules.csv").write_text(
        "rule,value\nmax_learners_per_key,many\nmax_guardians_per_key,4\n"
    )
    with pytest.raises(LifecourseError, match="max_learners_per_key"):
        read_rules(seeds.parent.parent)
