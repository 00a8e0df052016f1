"""Who is one person within an account: every rule, what it must not do, and any order of arrival."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecourse.identity.persons import Record, persons

#: A birth date and the same with day and month exchanged, as tokens.
MAY_APRIL = {"birth": "2015-05-04", "swapped": "2015-04-05"}
APRIL_MAY = {"birth": "2015-04-05", "swapped": "2015-05-04"}
SIBLING = {"birth": "2018-09-20"}


def lead(number: int, name: str = "wang zihan", core: str = "han", **more: object) -> Record:
    return Record(f"lead:{number}", name=name, core=core, **more)  # type: ignore[arg-type]


def learner(number: int, name: str = "wang zihan", core: str = "han", **more: object) -> Record:
    return Record(f"learner:{number}", str(number), name=name, core=core, **more)  # type: ignore[arg-type]


def named(number: int, learner_id: str, **more: object) -> Record:
    return lead(number, learner_id=learner_id, learner_rule="explicit_learner", **more)  # type: ignore[arg-type]


def grouped(*records: Record, **more: object) -> set[frozenset[str]]:
    groups, _ = persons(records, **more)  # type: ignore[arg-type]
    return {frozenset(group) for group in groups}


ONE = {frozenset({"learner:9", "lead:1"})}
TWO = {frozenset({"learner:9"}), frozenset({"lead:1"})}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param((named(1, "9", name="other"), learner(9)), ONE, id="the lead names the learner"),
        pytest.param((lead(1, **MAY_APRIL), learner(9, **MAY_APRIL)), ONE, id="same name and birth date"),
        pytest.param((lead(1, **APRIL_MAY), learner(9, **MAY_APRIL)), ONE, id="day and month exchanged"),
        pytest.param((lead(1), learner(9, **MAY_APRIL)), ONE, id="same name, birth date not told"),
        pytest.param((lead(1, **SIBLING), learner(9, **MAY_APRIL)), TWO, id="same name, another birth date"),
        pytest.param((lead(1, "wang yuhan", **MAY_APRIL), learner(9, **MAY_APRIL)), TWO, id="twins whose names end alike"),
        pytest.param((lead(1, "xiaohan", is_nickname=True, **MAY_APRIL), learner(9, **MAY_APRIL)), ONE, id="nickname of the name, same birth date"),
        pytest.param((lead(1, "xiaohan", is_nickname=True), learner(9, **MAY_APRIL)), ONE, id="nickname of the name, birth date not told"),
        pytest.param((lead(1, "doudou", "dou", is_nickname=True), learner(9, nickname="doudou", **MAY_APRIL)), ONE, id="the nickname that the learner is known by"),
        pytest.param((lead(1, "tommy", "tommy"), learner(9, nickname="tommy")), ONE, id="a nickname that looks like a name"),
        pytest.param((lead(1, "xiaohan", is_nickname=True, **SIBLING), learner(9, **MAY_APRIL)), TWO, id="nickname, another birth date"),
        pytest.param((lead(1, "xiaoyu", "yu", is_nickname=True), learner(9, **MAY_APRIL)), TWO, id="nickname of another name"),
    ],
)  # fmt: skip
def test_two_records(records: tuple[Record, ...], expected: set[frozenset[str]]) -> None:
    assert grouped(*records) == grouped(*reversed(records)) == expected


def test_a_nickname_that_two_siblings_could_have_is_nobodys() -> None:
    siblings = learner(8, "wang yuhan", **MAY_APRIL), learner(9, "wang zihan", **SIBLING)
    nick = lead(1, "xiaohan", is_nickname=True)
    assert grouped(nick, *siblings) == {
        frozenset({"lead:1"}),
        frozenset({"learner:8"}),
        frozenset({"learner:9"}),
    }
    # With a birth date it can be one of them only.
    nick = lead(1, "xiaohan", is_nickname=True, **SIBLING)
    assert frozenset({"lead:1", "learner:9"}) in grouped(nick, *siblings)


def test_a_name_that_two_in_the_account_have_is_nobodys_without_a_birth_date() -> None:
    assert len(grouped(lead(1), learner(8, **MAY_APRIL), learner(9, **SIBLING))) == 3


def test_a_learner_entered_twice_is_one_person_with_all_leads() -> None:
    records = learner(8, **MAY_APRIL), learner(900, **APRIL_MAY), named(1, "8"), named(2, "900"), lead(3)
    assert grouped(*records) == {frozenset({"learner:8", "learner:900", "lead:1", "lead:2", "lead:3"})}


def test_links_tell_rule_and_whom() -> None:
    _, links = persons([lead(2, **APRIL_MAY), named(1, "9"), learner(9, **MAY_APRIL)])
    assert {(link.who, link.whom, link.rule) for link in links} == {
        ("lead:1", "learner:9", "explicit_learner"),
        ("lead:2", "learner:9", "name_and_swapped_birth_date"),
    }


def test_a_forbidden_pair_stays_apart_against_the_sources_own_word() -> None:
    pair = [frozenset({"lead:1", "learner:9"})]
    assert grouped(named(1, "9", **MAY_APRIL), learner(9, **MAY_APRIL), forbidden=pair) == TWO


def test_a_forbidden_pair_stays_apart_by_way_of_a_third() -> None:
    records = named(1, "9"), learner(9), learner(8), lead(2, learner_id="8", learner_rule="explicit_learner")
    apart = grouped(*records, forbidden=[frozenset({"learner:8", "learner:9"})])
    assert not any({"learner:8", "learner:9"} <= group for group in apart)
    assert frozenset({"learner:9", "lead:1"}) in apart and frozenset({"learner:8", "lead:2"}) in apart


def test_a_forced_pair_is_one_though_nothing_fits() -> None:
    records = lead(1, "a", "a", **SIBLING), learner(9, "b", "b", **MAY_APRIL)
    assert grouped(*records, forced=[("lead:1", "learner:9")]) == ONE


NAMES = st.sampled_from(
    [
        ("wang zihan", "han", False),
        ("wang yuhan", "han", False),
        ("xiaohan", "han", True),
        ("li", "li", False),
    ]
)
BIRTHS = st.sampled_from([{}, MAY_APRIL, APRIL_MAY, SIBLING])


@st.composite
def accounts(draw: st.DrawFn) -> list[Record]:
    records = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        name, core, is_nickname = draw(NAMES)
        records.append(Record(f"learner:{number}", str(number), name=name, core=core, **draw(BIRTHS)))
    for number in range(1, draw(st.integers(0, 4)) + 1):
        name, core, is_nickname = draw(NAMES)
        to = draw(st.sampled_from([None, None, "1", "2"]))
        records.append(
            Record(
                f"lead:{number}",
                to,
                "explicit_learner" if to else None,
                name,
                core,
                is_nickname,
                **draw(BIRTHS),
            )
        )
    return records


@given(accounts(), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_persons_and_links(records: list[Record], rng: random.Random) -> None:
    shuffled = records[:]
    rng.shuffle(shuffled)
    groups, links = persons(records)
    again, links_again = persons(shuffled)
    assert {frozenset(group) for group in groups} == {frozenset(group) for group in again}
    assert set(links) == set(links_again)
    assert sorted(record for group in groups for record in group) == sorted(r.record_id for r in records)


@given(accounts())
def test_links_make_the_persons_and_nobody_else_is_joined(records: list[Record]) -> None:
    groups, links = persons(records)
    of = {record: number for number, group in enumerate(groups) for record in group}
    assert all(of[link.who] == of[link.whom] for link in links)
    # What links do not reach is alone.
    reached = {record for link in links for record in (link.who, link.whom)}
    assert all(len(group) == 1 or set(group) <= reached for group in groups)
