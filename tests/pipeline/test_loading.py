"""The loader on a real Postgres source: whole batches, no row lost, nothing done twice."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.loading.ddl import recreate_canonical_views
from lifecourse.loading.merge import MergeReport
from lifecourse.loading.pull import end_of_day
from lifecourse.sources.spec import SystemSpec, load_system
from lifecourse.warehouse.connection import Role, Warehouse

DAY = date(2026, 3, 1)
NEXT = date(2026, 3, 2)

YAML = """
system: school
serves: teaching
kind: sql
url: {url}
timezone: Asia/Shanghai
tables:
  - name: learners
    maps_to: learners
    from: public.pupil
    key: [learner_id]
    min_rows_to_refuse: 10
    absent: [nickname, gender, grade, school, region, guardian_wechat_unionid, acquisition_channel, status,
             is_test, is_staff_child, household_id]
    columns:
      learner_id: id
      birth_year: {{derive: year, of: birth_date}}
      guardian_phone_is_valid: {{derive: is_valid, of: guardian_phone}}
      registered_at: {{from: registered, cast: local_time}}
      updated_at: {{from: changed, cast: local_time}}
  - name: pauses
    maps_to: pauses
    from: public.pause
    absent: [approved_at]
    columns:
      pause_id: id
      from_on: {{cast: text_date}}
      updated_at: {{from: changed, cast: local_time}}
"""

DDL = """
create table pupil (
    id bigint primary key, campus_id bigint not null, name text, birth_date text, guardian_name text,
    guardian_phone text, registered timestamp, changed timestamp, unused text
);
create table pause (id bigint primary key, learner_id bigint, from_on text, to_on date, reason text, changed timestamp);
"""


@dataclass
class School:
    """A source database of two tables and the warehouse that pulls from it."""

    source: psycopg.Connection
    spec: SystemSpec
    warehouse: Warehouse

    def pupil(self, number: int, changed: str = "2026-03-01 10:00", phone: str = "10012345678") -> None:
        self.source.execute(
            """
            insert into pupil values (%s, 1, %s, '2015-02-03', '王芳', %s, '2026-02-01 09:00', %s)
            on conflict (id) do update set guardian_phone = excluded.guardian_phone, changed = excluded.changed
            """,
            (number, f"李{number}", phone, changed),
        )

    def pause(
        self,
        number: int,
        learner: int = 1,
        from_on: str = "2026-02-10",
        to_on: str | None = "2026-02-20",
        changed: str = "2026-03-01 10:00",
        reason: str = "exam",
    ) -> None:
        self.source.execute(
            """
            insert into pause values (%s, %s, %s, %s, %s, %s)
            on conflict (id) do update set from_on = excluded.from_on, to_on = excluded.to_on,
                changed = excluded.changed, reason = excluded.reason
            """,
            (number, learner, from_on, to_on, reason, changed),
        )

    def night(self, day: date = DAY) -> MergeReport:
        report = pull_system(self.spec, day, self.warehouse)
        assert not report.errors
        merged = merge_system(self.spec, day, self.warehouse)
        if not merged.refused:
            deliver(self.spec, day, self.warehouse)
        return merged

    def query(self, query: str) -> list[tuple]:  # type: ignore[type-arg]
        with self.warehouse.connect(Role.LOADER) as connection:
            return connection.execute(query.encode()).fetchall()

    def everything(self) -> dict[str, list[tuple]]:  # type: ignore[type-arg]
        """All rows of raw, raw_history and quarantine, without the numbers of loads and batches."""
        found = {}
        for schema in ("raw", "raw_history", "quarantine"):
            for table in ("school__learners", "school__pauses"):
                rows = self.query(
                    f"""
                    select to_jsonb(row_) - '_load_id' - '_superseded_by_load' - '_batch_id' - '_first_seen_batch'
                        - '_quarantine_id' - '_seen_at' - '_closed_at'
                    from {schema}.{table} as row_ order by 1
                    """
                )
                found[f"{schema}.{table}"] = rows
        return found


@pytest.fixture
def school(warehouse: Warehouse, tmp_path: Path) -> Iterator[School]:
    name = f"school_{uuid.uuid4().hex[:10]}"
    with warehouse.connect_maintenance() as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        url = warehouse.url(Role.ADMIN).rsplit("/", 1)[0] + f"/{name}"
        source = psycopg.connect(url, autocommit=True)
        try:
            source.execute(DDL.encode())
            path = tmp_path / "school.yml"
            path.write_text(YAML.format(url=url))
            yield School(source, load_system(path), warehouse)
        finally:
            source.close()
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_every_row_read_is_merged_unchanged_or_quarantined(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.pause(2, from_on="2026-02-30")  # a day that is none
    school.pause(3, from_on="2026-02-20", to_on="2026-02-10")  # ends before it starts
    school.pause(4, learner=99)  # a learner that nobody knows
    first = school.night()
    assert vars(first.tables["pauses"]) == {
        "read": 4,
        "inserted": 1,
        "updated": 0,
        "unchanged": 0,
        "quarantined": 3,
        "suppressed": 0,
        "deleted": 0,
        "rechecked": 0,
        "released": 0,
    }
    assert school.query("select pause_id, _rule, _status from quarantine.school__pauses order by 1") == [
        ("2", "cast_failed", "open"),
        ("3", "ends_before_start", "open"),
        ("4", "missing_parent", "open"),
    ]
    assert school.query("select pause_id from canonical.pauses") == [("1",)]
    assert not school.query("select * from meta.batch where status <> 'merged'")


def test_a_night_run_twice_changes_nothing(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.pause(2, from_on="broken")
    school.night()
    before = school.everything()
    again = school.night()
    assert school.everything() == before
    assert again.tables["pauses"].unchanged == 1
    assert again.tables["pauses"].quarantined == 1


def test_a_changed_row_keeps_its_old_version_in_history(school: School) -> None:
    school.pupil(1)
    school.pause(1, reason="exam")
    school.night()
    school.pause(1, reason="illness", changed="2026-03-02 08:00")
    second = school.night(NEXT)
    assert second.tables["pauses"].updated == 1
    assert school.query("select reason from raw.school__pauses") == [("illness",)]
    history = school.query("select reason, _load_id < _superseded_by_load from raw_history.school__pauses")
    assert history == [("exam", True)]
    load = school.query("select _load_id from raw.school__pauses")[0][0]
    assert school.query(f"select distinct kind, key from meta.touched where load_id = {load}") == [
        ("learner", "1")
    ]


def test_every_version_of_a_learner_is_kept_for_the_history_of_attributes(school: School) -> None:
    school.pupil(1)
    school.night()
    school.source.execute("update pupil set campus_id = 2, changed = '2026-03-02 08:00' where id = 1")
    school.night(NEXT)
    versions = school.query("select campus_id, _load_id from canonical.learner_versions order by updated_at")
    assert [campus for campus, _ in versions] == ["1", "2"]
    assert versions[0][1] < versions[1][1]


CONTACTS = """
system: front_desk
serves: signup
kind: sql
url: {url}
timezone: Asia/Shanghai
tables:
  - name: contacts
    maps_to: contacts
    from: public.parent
    absent: [campus_id, name, phone, phone_is_valid, wechat_unionid, email, relation, region, community, education,
             occupation]
    columns:
      contact_id: id
      is_decision_maker: decides
      income_band: income
      created_at: {{from: changed, cast: local_time}}
      updated_at: {{from: changed, cast: local_time}}
"""


def test_every_version_of_a_contact_is_kept_for_the_history_of_its_background(
    school: School, tmp_path: Path
) -> None:
    school.source.execute(
        "create table parent (id bigint primary key, decides boolean, income text, changed timestamp);"
        " insert into parent values (1, true, 'low', '2026-03-01 10:00')"
    )
    path = tmp_path / "front_desk.yml"
    path.write_text(CONTACTS.format(url=school.spec.url))
    desk = School(school.source, load_system(path), school.warehouse)
    desk.night()
    school.source.execute("update parent set income = 'middle', changed = '2026-03-02 08:00'")
    desk.night(NEXT)
    assert desk.query(
        "select contact_id, is_decision_maker, income_band, education, updated_at"
        " from canonical.contact_versions order by updated_at"
    ) == [
        ("1", True, "low", None, datetime.fromisoformat("2026-03-01T10:00+08:00")),
        ("1", True, "middle", None, datetime.fromisoformat("2026-03-02T08:00+08:00")),
    ]
    columns = {
        (table, name)
        for table, name in desk.query(
            "select table_name::text, column_name::text from information_schema.columns"
            " where table_schema = 'canonical' and table_name like '%\\_versions'"
        )
    }
    personal = {
        name for each in contract.tables().values() for name, of in each.columns.items() if of.personal
    }
    assert {table for table, _ in columns} == {"learner_versions", "contact_versions"}
    assert not {name for _, name in columns} & personal


def test_an_update_that_fails_leaves_the_last_good_version_marked_stale(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.night()
    school.pause(1, to_on="2026-01-01", changed="2026-03-02 08:00")
    school.night(NEXT)
    assert school.query("select to_on, _is_stale from raw.school__pauses") == [(date(2026, 2, 20), True)]
    school.pause(1, to_on="2026-02-25", changed="2026-03-03 08:00")
    school.night(date(2026, 3, 3))
    assert school.query("select to_on, _is_stale from raw.school__pauses") == [(date(2026, 2, 25), False)]
    assert school.query("select _status from quarantine.school__pauses") == [("resolved",)]


def test_a_child_waits_in_quarantine_until_its_parent_comes(school: School) -> None:
    school.pupil(1)
    school.pause(1, learner=2)
    school.night()
    assert school.query("select _rule from quarantine.school__pauses where _status = 'open'") == [
        ("missing_parent",)
    ]
    school.pupil(2, changed="2026-03-02 07:00")
    second = school.night(NEXT)
    assert second.tables["pauses"].released == 1
    assert school.query("select pause_id from raw.school__pauses") == [("1",)]
    assert school.query("select _status from quarantine.school__pauses") == [("released",)]


def test_rows_changed_after_the_cut_off_come_the_next_night(school: School) -> None:
    school.pupil(1)
    school.pause(1, changed="2026-03-01 23:59:59.999999")
    school.pause(2, changed="2026-03-02 00:00")
    school.night()
    assert school.query("select pause_id from raw.school__pauses") == [("1",)]
    school.night(NEXT)
    assert school.query("select pause_id from raw.school__pauses order by 1") == [("1",), ("2",)]


@pytest.mark.parametrize("hour", ["00:30", "23:30"])
def test_a_time_without_zone_is_the_institutions(school: School, hour: str) -> None:
    school.pupil(1, changed=f"2026-03-01 {hour}")
    school.night()
    [(changed,)] = school.query("select updated_at from raw.school__learners")
    assert changed == datetime.fromisoformat(f"2026-03-01T{hour}+08:00")


def test_late_rows_come_within_the_lag_and_beyond_it(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.night()
    school.pause(2, changed="2026-03-01 23:00")  # within the lag of two hours
    school.pause(3, changed="2026-02-20 12:00")  # long before: found by the comparison of key ranges
    school.pause(1, reason="travel", changed="2026-03-01 12:00")  # an update that came late
    second = school.night(NEXT)
    assert (second.tables["pauses"].inserted, second.tables["pauses"].updated) == (2, 1)
    [(healed,)] = school.query(
        "select rows_healed from meta.batch where source_table = 'pauses' and business_day = '2026-03-02'"
    )
    assert healed == 2


def test_a_hard_delete_becomes_a_soft_one_and_may_come_back(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.pause(2)
    school.night()
    school.source.execute("delete from pause where id = 2")
    second = school.night(NEXT)
    assert second.tables["pauses"].deleted == 1
    assert school.query("select pause_id, _deleted_at is not null from raw.school__pauses order by 1") == [
        ("1", False),
        ("2", True),
    ]
    assert school.query("select pause_id from canonical.pauses") == [("1",)]
    school.pause(2, changed="2026-03-03 09:00")
    third = school.night(date(2026, 3, 3))
    assert third.tables["pauses"].updated == 1
    assert len(school.query("select pause_id from canonical.pauses")) == 2


def test_a_deleted_row_leaves_quarantine_too(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.pause(2, from_on="nonsense")
    school.night()
    school.source.execute("delete from pause where id = 2")
    school.night(NEXT)
    assert school.query("select _status from quarantine.school__pauses") == [("resolved",)]


def test_a_batch_with_too_many_bad_rows_is_refused_whole(school: School) -> None:
    for number in range(1, 21):
        school.pupil(number)
    school.night()
    school.source.execute(
        "update pupil set campus_id = 0, registered = null, changed = '2026-03-02 08:00' where id < 15"
    )
    school.source.execute(
        "update pupil set changed = '2026-03-02 08:00', guardian_phone = '1' where id >= 15"
    )
    report = pull_system(school.spec, NEXT, school.warehouse)
    assert not report.errors
    merged = merge_system(school.spec, NEXT, school.warehouse)
    assert "14 of 20 rows" in merged.refused["learners"]
    assert school.query("select count(*) from raw_history.school__learners") == [(0,)]
    assert school.query("select count(*) from quarantine.school__learners") == [(0,)]
    [(pulled_to,)] = school.query("select pulled_to from meta.watermark where source_table = 'learners'")
    assert pulled_to == end_of_day(DAY)
    with pytest.raises(LifecourseError, match="learners: .*14 of 20"):
        deliver(school.spec, NEXT, school.warehouse)
    # Mended at the source, the same day is pulled again and delivered.
    school.source.execute("update pupil set campus_id = 1, registered = '2026-02-01 09:00' where id < 15")
    school.night(NEXT)
    assert school.query("select count(*) from raw_history.school__learners") == [(20,)]


def test_a_missing_column_stops_its_table_and_no_other(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.night()
    school.source.execute("alter table pause rename column reason to why")
    report = pull_system(school.spec, NEXT, school.warehouse)
    assert "column reason is missing" in report.errors["pauses"]
    assert "table pauses" in report.errors["pauses"]
    assert "learners" in merge_system(school.spec, NEXT, school.warehouse).tables
    with pytest.raises(LifecourseError, match="pauses"):
        deliver(school.spec, NEXT, school.warehouse)


def test_a_retyped_column_stops_and_a_new_one_is_noted(school: School) -> None:
    school.pupil(1)
    school.night()
    school.source.execute("alter table pupil add column shoe_size integer")
    school.source.execute("alter table pause alter column to_on type text")
    report = pull_system(school.spec, NEXT, school.warehouse)
    assert "to_on was date and is now text" in report.errors["pauses"]
    assert school.query("select source_table, change, column_name from meta.schema_change order by 1") == [
        ("learners", "new_column", "shoe_size"),
        ("pauses", "retyped_column", "to_on"),
    ]


def test_a_landing_table_lost_in_a_crash_is_pulled_again(school: School) -> None:
    school.pupil(1)
    pull_system(school.spec, DAY, school.warehouse)
    [(batch,)] = school.query("select batch_id from meta.batch where source_table = 'learners'")
    with school.warehouse.connect(Role.LOADER, autocommit=True) as connection:
        # What recovery does to an unlogged table.
        connection.execute(sql.SQL("truncate landing.{}").format(sql.Identifier(f"b{batch}")))
    merged = merge_system(school.spec, DAY, school.warehouse)
    assert merged.tables["learners"].inserted == 1
    deliver(school.spec, DAY, school.warehouse)


def test_an_interrupted_pull_leaves_nothing_behind(school: School) -> None:
    school.pupil(1)
    pull_system(school.spec, DAY, school.warehouse)
    with school.warehouse.connect(Role.LOADER) as connection:
        connection.execute("update meta.pull set status = 'pulling'")
        connection.commit()
    school.night()
    assert school.query("select status, count(*) from meta.batch group by 1 order by 1") == [
        ("abandoned", 2),
        ("merged", 2),
    ]
    assert not school.query("select relname from pg_class where relnamespace = 'landing'::regnamespace")


def test_two_at_once_end_as_one(school: School) -> None:
    for number in range(1, 30):
        school.pupil(number)
        school.pause(number, learner=number)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            school.night()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures
    assert school.query("select count(*), count(distinct pause_id) from raw.school__pauses") == [(29, 29)]
    assert school.query("select count(*) from raw_history.school__pauses") == [(0,)]


def test_a_backfill_never_moves_the_watermark_back(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.night(NEXT)
    school.night(DAY)
    rows = school.query("select distinct pulled_to from meta.watermark")
    assert rows == [(end_of_day(NEXT),)]


def test_a_backfill_never_replaces_a_newer_version(school: School) -> None:
    school.pupil(1)
    school.pause(1, reason="illness", changed="2026-03-02 09:00")
    school.night(NEXT)
    school.pause(1, reason="exam", changed="2026-03-01 09:00")
    merged = school.night(DAY)
    assert merged.tables["pauses"].updated == 0
    assert school.query("select reason from raw.school__pauses") == [("illness",)]


def test_personal_values_are_in_the_vault_and_nowhere_else(school: School) -> None:
    canary = "10098765432"
    school.pupil(1, phone=canary)
    school.pupil(2, phone=f"+86 {canary[:3]} {canary[3:7]} {canary[7:]}")
    school.pupil(3, phone="1009876")
    school.night()
    rows = school.query(
        "select guardian_phone, guardian_phone_is_valid, birth_year from raw.school__learners order by learner_id"
    )
    assert rows[0] == rows[1], "two spellings of one number are one token"
    assert rows[0][0] != rows[2][0]
    assert [(valid, year) for _, valid, year in rows] == [(True, 2015), (True, 2015), (False, 2015)]
    with school.warehouse.connect(Role.ADMIN) as connection:
        tables = connection.execute(
            """
            select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
            where relkind in ('r', 'v') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
            """
        ).fetchall()
        found = {
            f"{schema}.{table}"
            for schema, table in tables
            if connection.execute(
                sql.SQL("select 1 from {} as t where t::text like '%%' || {} || '%%' limit 1").format(
                    sql.Identifier(schema, table), sql.Literal(canary)
                )
            ).fetchone()
        }
    assert found == {"vault.value"}


def test_an_error_of_the_source_names_no_value(school: School, tmp_path: Path) -> None:
    school.pupil(1)
    school.source.execute("insert into pause values (1, 1, '2026-02-01', null, 'secret words', '2026-03-01')")
    text = school.spec.file.read_text().replace(
        "pause_id: id", "pause_id: id\n      marker: {from: reason, type: integer}"
    )
    path = tmp_path / "other" / "school.yml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(LifecourseError) as caught:
        pull_system(load_system(path), DAY, school.warehouse)
    assert "22P02" in str(caught.value)
    assert "secret words" not in str(caught.value)


def test_the_source_has_nothing_new(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.night()
    second = school.night(NEXT)
    assert {name: counts.read for name, counts in second.tables.items()} == {"learners": 0, "pauses": 0}
    assert school.query("select system, business_day from meta.delivery order by 2") == [
        ("school", DAY),
        ("school", NEXT),
    ]
    assert timedelta(days=1) == end_of_day(NEXT) - end_of_day(DAY)


def test_views_of_an_older_contract_are_made_anew(warehouse: Warehouse) -> None:
    """A column that the contract gained in the middle: Postgres would not replace the view in place."""
    with warehouse.connect(Role.LOADER) as connection:
        recreate_canonical_views(connection, {})
        connection.execute("drop view canonical.contacts")
        connection.execute(
            "create view canonical.contacts as select null::text as contact_id, null::text as _system where false"
        )
        connection.execute("create view canonical.stg_contacts as select contact_id from canonical.contacts")
        connection.execute("comment on schema canonical is 'views of an older version'")
        recreate_canonical_views(connection, {})
        columns = [
            name
            for (name,) in connection.execute(
                "select attname::text from pg_attribute where attrelid = 'canonical.contacts'::regclass"
                " and attnum > 0 order by attnum"
            )
        ]
        staged = connection.execute("select to_regclass('canonical.stg_contacts')").fetchone()
    assert columns == [*contract.tables()["contacts"].columns, "_system", "_load_id", "_is_stale"]
    assert staged == (None,)
