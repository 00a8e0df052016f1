"""Whose birthday it is: told by the vault of one day, to the build that is running, and to nobody else."""

from __future__ import annotations

import uuid
from datetime import date

import psycopg
import pytest

from lifecourse.privacy.normalise import birth_date, normalise
from lifecourse.warehouse.connection import Role, Warehouse
from tests.pipeline.canonical import Canonical

#: Learner, birth date as somebody wrote it.
WRITTEN = {
    "1": "2016-03-02", "2": "2016/3/2", "3": "2016年3月2日", "4": "２０１６-０３-０２", "5": "2016-03-12",
    "6": "02/03/2016", "7": "2016-02-30", "8": "2016-02-29", "9": "2015-02-28", "10": " 2016.3.02 ",
}  # fmt: skip
OF_2_MARCH = {"1", "2", "3", "4", "10"}


@pytest.fixture
def born(warehouse: Warehouse) -> Warehouse:
    """A warehouse with learners of all spellings, their birth dates in the vault."""
    tokens = {learner: uuid.uuid4() for learner in WRITTEN}
    with warehouse.connect(Role.LOADER) as connection:
        for learner, written in WRITTEN.items():
            connection.execute(
                "insert into vault.value (token, kind, value, is_valid) values (%s, 'birth_date', %s, %s)",
                (tokens[learner], written, normalise("birth_date", written)[1]),
            )
    Canonical(warehouse).load(
        {"learners": [{"learner_id": learner, "birth_date": token} for learner, token in tokens.items()]}
    )
    return warehouse


def told(warehouse: Warehouse, as_of: date, status: str = "running") -> set[str]:
    """The learners that a build of that day in that state is told."""
    build = f"{as_of} {status}"
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            "insert into meta.build (build_id, as_of, kind, schema_name, since_load_id, last_load_id, code_hash,"
            " rules_hash, status) values (%s, %s, 'full', 'core', 0, 0, '', '', %s)",
            (build, as_of, status),
        )
        rows = connection.execute("select canonical.learners_with_birthday(%s)", (build,)).fetchall()
    return {learner for (learner,) in rows}


def test_a_running_build_is_told_the_day_of_its_list(born: Warehouse) -> None:
    assert told(born, date(2026, 3, 1)) == OF_2_MARCH
    with born.connect(Role.LOADER) as connection:
        kept = connection.execute("select build_id, day_on, learners from vault.birthday_told").fetchall()
    assert kept == [("2026-03-01 running", date(2026, 3, 2), len(OF_2_MARCH))]


def test_who_was_born_on_29_february_has_it_every_year(born: Warehouse) -> None:
    assert told(born, date(2026, 2, 27)) == {"8", "9"}
    assert told(born, date(2028, 2, 27)) == {"9"}
    assert told(born, date(2028, 2, 28)) == {"8"}


@pytest.mark.parametrize("status", ["built", "published", "failed"])
def test_a_build_that_does_not_run_is_told_nothing(born: Warehouse, status: str) -> None:
    assert told(born, date(2026, 3, 1), status) == set()


def test_the_vault_reads_birth_dates_as_the_loader_does(born: Warehouse) -> None:
    with born.connect(Role.LOADER) as connection:
        for written in WRITTEN.values():
            day = birth_date(written)
            if day:
                found = connection.execute("select vault.month_day(%s)", (written,)).fetchone()
                assert found == (f"{day:%m-%d}",), written


@pytest.mark.parametrize("role", [Role.TRANSFORMER, Role.BI_READER, Role.ANALYST, Role.VAULT_READER])
def test_nobody_reads_birth_dates(born: Warehouse, role: Role) -> None:
    asked = ["select vault.month_day('2016-03-02')", "select value from vault.value"]
    if role is not Role.TRANSFORMER:
        asked.append("select canonical.learners_with_birthday('x')")
    for query in asked:
        with born.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(query.encode())
