"""The search that proves an erasure: what it finds, where, and what it takes for somebody else's."""

from __future__ import annotations

import uuid

from lifecourse.privacy.search import Finding, search
from lifecourse.privacy.subject import Subject
from lifecourse.warehouse.connection import Role, Warehouse

TOKEN, OTHER = str(uuid.uuid4()), str(uuid.uuid4())
PERSON = Subject(
    customers=["C000000042"],
    learners=["100042"],
    tokens=[TOKEN],
    values=[
        ("phone", "13800138000"),
        ("name", "Ó%_Brien (Li)"),
        ("name", "Wu"),
        ("birth_date", "2015-05-05"),
    ],
)


def in_database(warehouse: Warehouse) -> list[Finding]:
    """Findings in tables: in the home folder of the session other tests leave logs with the same example numbers."""
    return [each for each in search(warehouse, PERSON) if "/" not in each.where]


def found(warehouse: Warehouse, table: str, *rows: str) -> set[tuple[str, int]]:
    """What is found in a table of analysts', in which kind of place, in how many rows."""
    with warehouse.connect(Role.ADMIN) as connection:
        connection.execute("create table scratch_analyst.kept (" + table + ")")  # type: ignore[arg-type]
        for row in rows:
            connection.execute("insert into scratch_analyst.kept values (" + row + ")")  # type: ignore[arg-type]
        connection.commit()
    findings = in_database(warehouse)
    assert {each.where for each in findings} <= {"scratch_analyst.kept"}
    return {(each.what, each.rows) for each in findings}


def test_keys_and_tokens_are_found_by_their_columns(warehouse: Warehouse) -> None:
    assert found(
        warehouse,
        "learner_id text, old_customer_id text, token uuid, other uuid",
        f"'100042', 'C000000042', '{TOKEN}', '{OTHER}'",
        f"'1000420', 'C0000000420', '{OTHER}', '{OTHER}'",
        "null, null, null, null",
    ) == {
        ("learners in learner_id", 1),
        ("customers in old_customer_id", 1),
        ("tokens in token", 1),
        ("text of the row", 1),
    }


def test_values_are_found_in_text_documents_arrays_and_numbers(warehouse: Warehouse) -> None:
    assert found(
        warehouse,
        "note text, document jsonb, list text[], number bigint",
        "'call 13800138000 now', null, null, null",
        """null, '{"to": "13800138000"}', null, null""",
        "null, null, array['13800138000'], null",
        "null, null, null, 13800138000",
        # Signs that mean something in a pattern stand for themselves.
        "'asked by Ó%_Brien (Li)', null, null, null",
        # A longer number, another name, and what is too short or too common to be somebody's.
        "'138001380001, ÓxyBrien (Li), Wu', null, null, 138001380001",
        "'2015-05-05 at 10004', null, null, 100042",
    ) == {("text of the row", 5)}


def test_values_in_the_vault_are_found_by_kind(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.ADMIN) as connection:
        for kind, value in (("phone", "13800138000"), ("name", "13800138000"), ("name", "Wu")):
            connection.execute(
                "insert into vault.value (token, kind, value, is_valid) values (gen_random_uuid(), %s, %s, true)",
                (kind, value),
            )
        connection.commit()
    assert in_database(warehouse) == [
        Finding("vault.value", "a value of kind name", 1),
        Finding("vault.value", "a value of kind phone", 1),
    ]
