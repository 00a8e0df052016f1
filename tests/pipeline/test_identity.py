"""Accounts, persons and their ids in the database: run after run, in any order, and taken back."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from lifecourse import contract
from lifecourse.identity import resolve
from lifecourse.identity.explain import explain
from lifecourse.identity.resolve import Resolved
from lifecourse.identity.rules import Pair, Rules, read_rules
from lifecourse.warehouse.connection import Role, Warehouse
from tests.pipeline.canonical import Canonical

pytestmark = pytest.mark.slow

DAY = date(2026, 3, 1)
STATE = ("registry", "lead", "contact", "key", "record", "link", "shared_key", "merge", "change", "run")
Rows = dict[str, list[dict[str, Any]]]


def token(text: str) -> str:
    """A vault token, the same for the same text."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


def lead(
    number: int, contact: str | None = None, name: str = "zihan", born: str | None = "2015-05-04", **more: Any
) -> dict[str, Any]:
    return {"lead_id": str(number), "campus_id": "P1", "contact_id": contact, "learner_name": token(name),
            "learner_name_core": token(name), "learner_birth_date": token(born) if born else None,
            "learner_birth_year": 2015 if born else None, **more}  # fmt: skip


def contact(key: str, phone: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "contact_id": key,
        "name": token(f"guardian of {key}"),
        "phone": token(phone) if phone else None,
        **more,
    }


def learner(
    number: int, name: str = "zihan", phone: str | None = None, born: str | None = "2015-05-04", **more: Any
) -> dict[str, Any]:
    return {"learner_id": str(number), "campus_id": "P1", "name": token(name), "name_core": token(name),
            "birth_date": token(born) if born else None, "birth_year": 2015 if born else None,
            "guardian_phone": token(phone) if phone else None, **more}  # fmt: skip


class Identity:
    """The canonical tables, and runs of identity over them."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        with warehouse.connect(Role.ADMIN) as connection:
            for table in contract.tables():
                connection.execute(f"drop table if exists canonical.{table}".encode())
            connection.execute(
                f"truncate {', '.join(f'core.identity_{name}' for name in STATE)}, meta.touched".encode()
            )
            connection.execute("delete from meta.batch")
        self.canonical = Canonical(warehouse)
        self.rules, self.runs = read_rules(), 0

    def run(
        self,
        rows: Rows | None = None,
        gone: dict[str, list[str]] | None = None,
        full: bool = False,
        rules: Rules | None = None,
    ) -> Resolved:
        self.canonical.load(rows, gone)
        self.runs += 1
        with self.warehouse.connect(Role.TRANSFORMER, autocommit=True) as connection:
            return resolve(
                connection,
                f"run {self.runs}",
                DAY,
                self.canonical.load_id,
                full=full,
                rules=rules or self.rules,
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.connect(Role.TRANSFORMER) as connection:
            return connection.execute(query.encode()).fetchall()

    def ids(self) -> dict[str, tuple[str, str]]:
        """Record -> customer and account, of records that are there."""
        return {
            record: (customer, account)
            for record, customer, account in self.rows(
                """
                select known.record_id, customer_id, account_id from core.identity_record as known
                join core.identity_registry on learner_id = case kind
                    when 'lead' then record_id else substring(record_id from 9) end
                where kind <> 'contact'
                """
            )
        }

    def groups(self) -> tuple[set[frozenset[str]], set[frozenset[str]]]:
        """Persons and accounts as sets of records, whatever their ids."""
        found: tuple[dict[str, set[str]], dict[str, set[str]]] = ({}, {})
        for record, ids in self.ids().items():
            for level, key in enumerate(ids):
                found[level].setdefault(key, set()).add(record)
        persons, accounts = ({frozenset(group) for group in level.values()} for level in found)
        return persons, accounts

    def events(self) -> list[tuple[str, str, str, str]]:
        return self.rows(
            "select event, from_id, into_id, rule from core.identity_merge where level = 'customer' order by event_no"
        )  # type: ignore[return-value]


@pytest.fixture
def identity(module_warehouse: Warehouse) -> Identity:
    return Identity(module_warehouse)


def test_a_prospect_keeps_the_id_when_a_learner_comes_of_it(identity: Identity) -> None:
    identity.run({"leads": [lead(5, "K5")], "contacts": [contact("K5", "p1")]})
    ((prospect, account),) = identity.ids().values()
    identity.run({"learners": [learner(9, phone="p1")]})
    assert identity.ids() == {"lead:5": (prospect, account), "learner:9": (prospect, account)}
    assert identity.rows("select learner_id from core.identity_lead") == [("9",)]
    assert identity.events() == []


def test_two_customers_who_turn_out_to_be_one_are_folded_and_taken_apart_again(identity: Identity) -> None:
    identity.run(
        {"leads": [lead(5, "K5")], "contacts": [contact("K5", "p1")], "learners": [learner(9, phone="p2")]}
    )
    before = identity.ids()
    identity.run({"contacts": [contact("K5", "p2")]})
    joined = identity.ids()
    old, kept = before["lead:5"][0], before["learner:9"][0]
    assert joined["lead:5"] == joined["learner:9"] == before["learner:9"], "the older id lives on"
    assert identity.events() == [("merge", old, kept, "name_and_birth_date")]
    assert set(identity.rows("select customer_id from core.identity_change")) == {(old,), (kept,)}
    with identity.warehouse.connect(Role.TRANSFORMER) as connection:
        found = explain(connection, old)
    assert (found.customer_id, found.records) == (kept, ("learner:9", "lead:5"))
    assert {(link.who, link.rule) for link in found.links} >= {
        ("lead:5", "same_phone"),
        ("lead:5", "name_and_birth_date"),
    }
    identity.run({"contacts": [contact("K5", "p1")]})
    assert identity.ids() == before, "everybody has the id of before"
    assert identity.events()[1:] == [("split", kept, old, "link_gone")]


def test_a_forbidden_pair_is_two_customers_against_all_evidence(identity: Identity) -> None:
    rows = {"leads": [lead(5, learner_id="9")], "learners": [learner(9)]}
    forbidden = replace(identity.rules, forbidden=(Pair("lead:5", "learner:9", "person"),))
    identity.run(rows, rules=forbidden)
    persons, accounts = identity.groups()
    assert len(persons) == 2 and len(accounts) == 1
    assert identity.rows("select learner_id from core.identity_lead") == [("lead:5",)]
    apart = replace(identity.rules, forbidden=(Pair("lead:5", "learner:9", "account"),))
    identity.run(full=True, rules=apart)
    persons, accounts = identity.groups()
    assert len(persons) == 2 and len(accounts) == 2


def test_a_forced_pair_is_one_customer_with_nothing_in_common(identity: Identity) -> None:
    rules = replace(identity.rules, forced=(Pair("lead:5", "learner:9", "person"),))
    identity.run({"learners": [learner(9, "a")]}, rules=rules)
    identity.run({"leads": [lead(5, name="b", born="2018-01-30")]}, rules=rules)
    assert len(set(identity.ids().values())) == 1


def test_a_phone_beside_a_crowd_binds_nobody_and_is_reported(identity: Identity) -> None:
    few = identity.rules.max_guardians
    contacts = [contact(f"K{n}", "switchboard") for n in range(few)]
    leads = [lead(n, f"K{n}", name=f"child {n}") for n in range(few)]
    identity.run({"contacts": contacts, "leads": leads})
    assert len(identity.groups()[1]) == 1, "so few may be a family"
    identity.run({"contacts": [contact("K99", "switchboard")], "leads": [lead(99, "K99", name="child 99")]})
    assert len(identity.groups()[1]) == few + 1
    assert identity.rows("select kind, learners, guardians from core.identity_shared_key") == [
        ("phone", few + 1, few + 1)
    ]
    identity.run({"contacts": [contact("K99", "own")]})
    assert len(identity.groups()[1]) == 2, (
        "and when one of them gets a phone of its own, the rest is one again"
    )
    assert identity.rows("select * from core.identity_shared_key") == []


def test_an_aunt_who_pays_for_two_families_does_not_make_them_one(identity: Identity) -> None:
    def order(number: int, of: str) -> dict[str, Any]:
        return {
            "order_id": f"O{number}",
            "learner_id": of,
            "campus_id": "P1",
            "payer_phone": token("aunt"),
            "payer_name": token("aunt"),
        }

    identity.run({"learners": [learner(1, "a"), learner(2, "b")], "orders": [order(1, "1")]})
    # The aunt herself asked for one of the children.
    identity.run({"contacts": [contact("K1", "aunt")], "leads": [lead(7, "K1", "c")]})
    assert identity.ids()["lead:7"][1] == identity.ids()["learner:1"][1]
    identity.run({"orders": [order(2, "2")]})
    assert len(identity.groups()[1]) == 3
    identity.run(gone={"orders": ["O2"]})
    assert len(identity.groups()[1]) == 2


def test_a_record_that_is_gone_leaves_its_id_to_nobody(identity: Identity) -> None:
    identity.run({"leads": [lead(5), lead(6, name="b")]})
    before = identity.ids()
    identity.run(gone={"leads": ["5"]})
    identity.run({"leads": [lead(7, name="c")]})
    after = identity.ids()
    assert set(after) == {"lead:6", "lead:7"} and after["lead:6"] == before["lead:6"]
    assert after["lead:7"][0] not in {customer for customer, _ in before.values()}
    identity.run({"leads": [lead(5)]})
    assert identity.ids()["lead:5"] == before["lead:5"], "who comes back has the id of before"


def worlds(rng: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Rows that share phones, households, names and payers at random."""
    found: list[tuple[str, dict[str, Any]]] = []
    names, births, phones = ["a", "b", "c"], ["2015-05-04", "2018-01-30", None], [f"p{n}" for n in range(14)]
    for n in range(24):
        found.append(("contacts", contact(f"K{n}", rng.choice([*phones, "crowd", None]))))
        explicit = rng.choice([None, None, str(rng.randrange(16))])
        found.append(("leads", lead(n, f"K{n}", rng.choice(names), rng.choice(births), learner_id=explicit)))
    for n in range(16):
        household = rng.choice([None, None, f"H{rng.randrange(5)}"])
        found.append(
            (
                "learners",
                learner(
                    n,
                    rng.choice(names),
                    rng.choice([*phones, None]),
                    rng.choice(births),
                    household_id=household,
                ),
            )
        )
    for n in range(10):
        found.append(
            (
                "orders",
                {
                    "order_id": f"O{n}",
                    "learner_id": str(rng.randrange(16)),
                    "campus_id": "P1",
                    "payer_phone": token(rng.choice(phones)),
                    "payer_name": token(f"payer {n}"),
                },
            )
        )
    for n in range(4):
        found.append(
            (
                "contracts",
                {
                    "contract_id": f"V{n}",
                    "lead_id": str(rng.randrange(24)),
                    "learner_id": str(rng.randrange(16)),
                },
            )
        )
    return found


def batched(rows: Iterable[tuple[str, dict[str, Any]]]) -> Rows:
    found: Rows = {}
    for table, row in rows:
        found.setdefault(table, []).append(row)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_any_number_of_runs_give_the_same_groups(
    module_warehouse: Warehouse, seed: int
) -> None:
    rng = random.Random(seed)
    rows = worlds(rng)
    rules = replace(
        read_rules(),
        forbidden=(Pair("lead:1", "learner:1", "account"), Pair("learner:2", "learner:3", "person"), Pair("lead:4", "lead:5", "account")),
        forced=(Pair("lead:6", "learner:7", "person"), Pair("contact:K8", "learner:9", "account")),
    )  # fmt: skip
    at_once = Identity(module_warehouse)
    at_once.run(batched(rows), rules=rules)
    expected, links = at_once.groups(), link_rows(at_once)
    assert 1 < len(expected[1]) < len(expected[0]) < 40

    bit_by_bit = Identity(module_warehouse)
    rng.shuffle(rows)
    for start in range(0, len(rows), 20):
        part = rows[start : start + 20]
        if start == 20:
            # Something other than it will be in the end.
            other = [("contacts", contact(f"K{n}", "p0")) for n in range(6)]
            known = {row["contact_id"] for table, row in rows[:start] if table == "contacts"}
            bit_by_bit.run(
                batched((table, row) for table, row in other if row["contact_id"] in known), rules=rules
            )
            part = [*part, *((table, row) for table, row in rows[:start] if table == "contacts")]
        assert bit_by_bit.run(batched(part), rules=rules).is_full == (start == 0)
    assert bit_by_bit.groups() == expected
    assert link_rows(bit_by_bit) == links
    ids = bit_by_bit.ids()
    bit_by_bit.run(rules=rules, full=True)
    assert bit_by_bit.ids() == ids, "a full run changes nothing"
    # What goes and comes back leaves no trace in the groups.
    gone = [row["lead_id"] for table, row in rows if table == "leads"][:5]
    bit_by_bit.run(gone={"leads": gone}, rules=rules)
    bit_by_bit.run(
        batched((table, row) for table, row in rows if table == "leads" and row["lead_id"] in gone),
        rules=rules,
    )
    assert bit_by_bit.groups() == expected


def link_rows(identity: Identity) -> set[tuple[Any, ...]]:
    return set(identity.rows("select who, whom, level, rule, evidence from core.identity_link"))


def test_no_id_is_used_twice_and_every_record_has_one(identity: Identity) -> None:
    rows = worlds(random.Random(99))
    for start in range(0, len(rows), 30):
        identity.run(batched(rows[start : start + 30]))
    persons, accounts = identity.groups()
    assert sum(map(len, persons)) == sum(map(len, accounts)) == len(identity.ids())
    of_account: dict[str, set[str]] = {}
    for customer, account in identity.ids().values():
        of_account.setdefault(customer, set()).add(account)
    assert all(len(those) == 1 for those in of_account.values()), "a person lives in one account"
