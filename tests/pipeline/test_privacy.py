"""Privacy on a small simulated institution: look-ups, a person's copy, a new key, erasure with kills, and a restore.

The tests share one warehouse and run in their order: somebody erased stays erased for those that follow.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from lifecourse import building
from lifecourse.errors import LifecourseError
from lifecourse.loading.maintenance import reset_watermark
from lifecourse.privacy import contacts, erasure, ledger, retention, rotation
from lifecourse.privacy.export import export
from lifecourse.privacy.search import search
from lifecourse.privacy.subject import Subject, find
from lifecourse.settings import PROJECT, settings
from lifecourse.simulator.institution import Institution
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.backup import backup, restore
from lifecourse.warehouse.branches import grant as grant_campus
from lifecourse.warehouse.connection import SUFFIX_VARIABLE, Role, Warehouse
from lifecourse.warehouse.publish import PublishError, rollback
from lifecourse.warehouse.roles import SIMULATED
from lifecourse.warehouse.setup import set_up
from tests.contents import contents, files_with, tables_with
from tests.pipeline.canonical import snapshot
from tests.support import payments_server, run_night, write_last_bills

pytestmark = pytest.mark.slow

NIGHT = date(2026, 3, 1)
KILLS = int(os.environ.get("LIFECOURSE_TEST_KILLS", "2"))


@dataclass
class House:
    """The built institution, and who is erased in it."""

    warehouse: Warehouse
    home: Path
    institution: Institution

    def ask(self, query: str, *parameters: Any, role: Role = Role.ADMIN) -> list[tuple[Any, ...]]:
        with self.warehouse.connect(role) as connection:
            return connection.execute(query, parameters or None).fetchall()

    def one(self, query: str, *parameters: Any) -> Any:
        [(value,)] = self.ask(query, *parameters)
        return value


@pytest.fixture(scope="module")
def house(module_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    set_up(module_warehouse, SIMULATED)
    home = tmp_path_factory.mktemp("institution")
    with pytest.MonkeyPatch.context() as patch, payments_server(module_warehouse) as address:
        patch.setenv("LIFECOURSE_PAYMENTS_URL", address)
        patch.setenv("LIFECOURSE_BILLS_DIR", str(home / "simulator" / "bills"))
        institution = Institution(customers=1_000, faults="default", home=home)
        institution.create(module_warehouse)
        write_last_bills(module_warehouse, NIGHT, home, days=40)
        run_night(module_warehouse, NIGHT)
        building.build(NIGHT, into=module_warehouse)
        yield House(module_warehouse, home, institution)
        contacts.revoke("lifecourse_vault_reader", "marketing", module_warehouse)


def test_nobody_reaches_values_but_by_asking(house: House) -> None:
    for role in (Role.VAULT_READER, Role.BI_READER, Role.ANALYST, Role.TRANSFORMER, Role.PUBLISHER):
        for table in ("vault.value", "vault.token", "vault.look_up", "vault.erasure_request"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                house.ask(f"select * from {table}", role=role)
    for role in (Role.BI_READER, Role.ANALYST):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            house.ask("select vault.ask_contacts('marketing', 'x', '{}')", role=role)


def test_a_look_up_checks_role_purpose_and_consent_and_is_logged_first(house: House) -> None:
    warehouse = house.warehouse
    allowed, refused = (
        house.one(
            "select min(customer_id) from core.int_contact_permission where purpose = 'marketing' and is_allowed = %s"
            " and reason_code <> 'never_asked'",
            is_allowed,
        )
        for is_allowed in (True, False)
    )
    wanted = [allowed, refused, "C999999999"]
    told = {each.customer_id: each for each in contacts.look_up(wanted, "marketing", "a list", of=warehouse)}
    assert {each.reason_code for each in told.values()} == {"role_may_not"}, "nobody may by default"
    with pytest.raises(LifecourseError, match="no such purpose"):
        contacts.grant("lifecourse_vault_reader", "surveillance", warehouse)
    contacts.grant("lifecourse_vault_reader", "marketing", warehouse)
    told = {each.customer_id: each for each in contacts.look_up(wanted, "marketing", "a list", of=warehouse)}
    assert told[allowed].is_answered and told[allowed].phone and told[allowed].name
    assert (told[refused].is_answered, told[refused].reason_code, told[refused].phone) == (
        False,
        "withdrawn",
        None,
    )
    assert told["C999999999"].reason_code == "unknown_customer"
    assert contacts.look_up([allowed], "photo", "a list", of=warehouse)[0].reason_code == "role_may_not"
    logged = house.ask(
        "select purpose, list_name, is_answered, count(*) from vault.look_up group by 1, 2, 3 order by 1, 2, 3"
    )
    assert logged == [
        ("marketing", "a list", False, 5),
        ("marketing", "a list", True, 1),
        ("photo", "a list", False, 1),
    ]
    with warehouse.connect(Role.VAULT_READER) as connection:
        # Whoever could answer and take the log back in one transaction would leave no trace.
        ticket = connection.execute(
            "select vault.ask_contacts('marketing', 'no trace', array[%s])", (allowed,)
        ).fetchone()
        assert connection.execute("select * from vault.contacts(%s)", ticket).fetchall() == []
        connection.execute("savepoint inner_one")
        ticket = connection.execute(
            "select vault.ask_contacts('marketing', 'no trace', array[%s])", (allowed,)
        ).fetchone()
        connection.execute("release inner_one")
        assert connection.execute("select * from vault.contacts(%s)", ticket).fetchall() == []
        connection.rollback()
    with warehouse.connect(Role.VAULT_READER) as connection:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            connection.execute(
                "select vault.ask_contacts('marketing', 'all', array(select 'C' || i from generate_series(1, 501) as i))"
            )
        connection.rollback()
        # No object of the caller's own can come into the way of the function's.
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "create function pg_temp.pg_has_role(name, oid, text) returns boolean return true"
            )


def test_a_branch_looks_up_its_own_customers_only(house: House) -> None:
    login = f"head_{os.getpid()}"
    here, there = (
        house.ask(
            "select customer_id, campus_id from core.int_contact_permission where purpose = 'marketing' and is_allowed"
            f" order by campus_id {way}, customer_id limit 1"
        )[0]
        for way in ("asc", "desc")
    )
    assert here[1] != there[1]
    password = grant_campus(house.warehouse, login, [here[1]])
    contacts.grant(login, "marketing", house.warehouse)
    try:
        warehouse = house.warehouse
        with psycopg.connect(
            host=warehouse.host, port=warehouse.port, dbname=warehouse.name_of(), user=login, password=password,
            autocommit=True, options="-c default_transaction_read_only=off",
        ) as session:  # fmt: skip
            told = {
                each.customer_id: each
                for each in contacts.look_up([here[0], there[0]], "marketing", "mine", session)
            }
            assert told[here[0]].is_answered
            assert told[there[0]].reason_code == "unknown_customer"
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("select * from vault.value")
    finally:
        with house.warehouse.connect_maintenance() as connection:
            name = sql.Identifier(login)
            connection.execute(sql.SQL("drop role {}").format(name))


def test_a_new_key_changes_nobodys_identity(house: House) -> None:
    before = house.ask("select token, value from vault.value order by token")
    marks = house.ask("select hmac from vault.token")
    key_id, count = rotation.rotate(house.warehouse)
    assert (key_id, count) == (2, len(before))
    assert house.one("select count(*) from vault.token where key_id = 2") == len(before)
    assert not {bytes(mark) for (mark,) in marks} & {
        bytes(mark) for (mark,) in house.ask("select hmac from vault.token")
    }
    reset_watermark("teaching", "learners", None, house.warehouse)
    run_night(house.warehouse, NIGHT, ("teaching",))
    assert house.ask("select token, value from vault.value order by token") == before, (
        "no value has two tokens"
    )
    [(read, unchanged)] = house.ask(
        "select rows_read, rows_unchanged from meta.batch where source_table = 'learners' order by batch_id desc limit 1"
    )
    assert read > 100 and unchanged == read - house.one(
        "select rows_quarantined from meta.batch where source_table = 'learners' order by batch_id desc limit 1"
    )


def test_a_persons_own_copy_holds_everything(house: House, tmp_path: Path) -> None:
    customer = _somebody(house)
    [page] = [path for path in export(customer, tmp_path, house.warehouse) if path.suffix == ".html"]
    data = json.loads((tmp_path / customer / "everything.json").read_text(encoding="utf-8"))
    [learner] = data["from_the_systems"]["teaching.learners"][:1]
    plain = house.one(
        "select value from vault.value where token = (select name from canonical.learners where learner_id = %s)",
        learner["learner_id"],
    )
    assert learner["name"] == plain and plain in page.read_text(encoding="utf-8")
    for table in ("fct_order", "fct_lifecycle_span", "dim_customer"):
        assert len(data["derived"][table]) == house.one(
            f"select count(*) from marts.{table} where customer_id = %s", customer
        )
    for name in ("signup.leads", "signup.consents", "payments.orders", "payments.payments"):
        assert data["from_the_systems"][name], name
    others = house.one(
        "select value from vault.value where kind = 'phone' and token <> all(%s::uuid[]) limit 1",
        [],
    )
    assert page.stat().st_mode & 0o077 == 0
    assert data["look_ups"][-1]["purpose"] == "own_copy"
    assert others  # there is somebody else to be told apart from
    with pytest.raises(LifecourseError, match="nobody has this id"):
        export("C999999999", tmp_path, house.warehouse)


def _somebody(house: House, number: int = 0) -> str:
    """A customer with orders, an account in the channels' bills, an enquiry and a phone that nobody else has."""
    return str(
        house.ask(
            """
            select registry.customer_id
            from core.customer_registry as registry
            join canonical.learners as learners on learners.learner_id = registry.learner_id
            join core.fct_payment as payments on payments.customer_id = registry.customer_id
            join core.int_lead as leads on leads.learner_id = registry.learner_id
            join core.stg_consents as consents on consents.contact_id = leads.contact_id
            join canonical.settlement_bills as bills on bills.order_id = payments.order_id
            where learners.guardian_phone is not null and bills.payer_account is not null and not exists (
                select from canonical.learners as others
                where others.guardian_phone = learners.guardian_phone and others.learner_id <> learners.learner_id
            ) and not exists (
                select from core.int_lead as others
                where others.contact_id = leads.contact_id and others.learner_id is distinct from leads.learner_id
            )
            group by registry.customer_id order by registry.customer_id offset %s limit 1
            """,
            number,
        )[0][0]
    )


def _money(house: House) -> list[tuple[Any, ...]]:
    return house.ask(
        "select day_on, campus_id, product_line, currency, opening, billings, refunds, recognised, expired, closing"
        " from marts.fct_deferred_revenue_day order by 1, 2, 3, 4"
    )


def _totals(house: House) -> list[tuple[Any, ...]]:
    return house.ask(
        "select (select sum(payable_amount) from marts.fct_order), (select sum(amount) from marts.fct_payment),"
        " (select sum(refunded_amount) from marts.fct_refund), (select sum(revenue_amount) from marts.fct_lesson_consumption)"
    )


def _talks_noted(house: House, subject: Subject) -> int:
    """Notes of the loader that something was said with, or signed by, a contact of the person."""
    ((noted,),) = house.ask(
        "select count(*) from meta.touched where kind = 'contact_facts' and key = any(%s)", subject.contacts
    )
    return int(noted)


def _bills(house: House) -> Path:
    return house.home / "simulator" / "bills"


@dataclass
class Erased:
    subject: Subject
    phone: str
    values: list[str]
    money: list[tuple[Any, ...]]
    totals: list[tuple[Any, ...]]
    saved: Path


@pytest.fixture(scope="module")
def erased(house: House, tmp_path_factory: pytest.TempPathFactory) -> Erased:
    """Somebody erased by a process that was killed at random instants; a backup from before."""
    customer = _somebody(house)
    subject = find(house.warehouse, customer)
    values = [
        row[0]
        for row in house.ask(
            "select value from vault.value where token in ("
            " select guardian_phone from canonical.learners where learner_id = any(%s)"
            " union select phone from canonical.contacts where contact_id = any(%s)"
            " union select payer_account from canonical.settlement_bills where order_id = any(%s))",
            subject.learners,
            subject.contacts,
            subject.orders,
        )
    ]
    phone = house.one(
        "select value from vault.value where token = any(select guardian_phone from canonical.learners"
        " where learner_id = any(%s)) order by value limit 1",
        subject.learners,
    )
    assert subject.orders and subject.leads and subject.contacts and phone in values
    assert files_with(_bills(house), values), "somebody whose account stands in the bills"
    assert _talks_noted(house, subject) > 0
    money, totals = _money(house), _totals(house)
    saved = tmp_path_factory.mktemp("backup") / "before.dump"
    backup(house.warehouse, saved)
    building.build(NIGHT, into=house.warehouse)
    ledger.ask(customer_id=customer, of=house.warehouse)
    environment = {
        **os.environ, "PYTHONPATH": str(PROJECT), "LIFECOURSE_HOME": str(settings().home),
        SUFFIX_VARIABLE: house.warehouse.suffix,
    }  # fmt: skip
    chance = random.Random(20260301)
    # The transaction comes in the first seconds, the build takes most of the time.
    for latest in (6, 60, 20, 90)[:KILLS]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.erasing"], env=environment, cwd=PROJECT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(timeout=chance.uniform(1, latest))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    done = subprocess.run(
        [sys.executable, "-m", "tests.erasing"], env=environment, cwd=PROJECT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return Erased(subject, phone, values, money, totals, saved)


def _is_gone(house: House, erased: Erased) -> None:
    with house.warehouse.connect(Role.LOADER) as connection:
        # The search of the erasure itself, and one that knows nothing of it.
        tokens = [row[0] for row in connection.execute("select token::text from vault.value")]
    assert search(house.warehouse, erased.subject) == []
    assert tokens
    assert _talks_noted(house, erased.subject) == 0
    assert tables_with(house.warehouse, [*erased.values, *erased.subject.customers]) == set()


def test_an_erased_person_is_nowhere_and_the_books_are_the_same(house: House, erased: Erased) -> None:
    [request] = ledger.requests(house.warehouse, "honoured")
    assert request.report and request.report["found"] == []
    assert request.report["searched_for"]["tokens"] > 0
    assert (request.customer_id, request.learner_id, request.subject) == (None, None, None)
    _is_gone(house, erased)
    assert _money(house) == erased.money
    assert _totals(house) == erased.totals
    kept = house.ask(
        "select distinct learner_id, payer_name, payer_phone from raw.payments__orders where order_id = any(%s)",
        erased.subject.orders,
    )
    assert [(key[:7], name, phone) for key, name, phone in kept] == [("erased:", None, None)]
    assert house.ask(
        "select distinct customer.is_reportable, customer.school, customer.birth_year"
        " from marts.dim_customer as customer join marts.fct_order using (customer_id)"
        " where order_id = any(%s)",
        erased.subject.orders,
    ) == [(False, None, None)]
    assert files_with(_bills(house), erased.values) == set()
    with pytest.raises(PublishError, match="erased since"):
        rollback(house.warehouse)


def test_a_night_after_an_erasure_is_what_a_full_build_gives(house: House, erased: Erased) -> None:
    incremental = snapshot(house.warehouse, "core")
    building.transform(building.begin(NIGHT, full=True, into=house.warehouse), house.warehouse)
    full = snapshot(house.warehouse, "core")
    state = {"changed_customer", "changed_lead", "changed_class", "changed_closed_week"}
    assert {
        name for name in incremental.keys() | full.keys() if incremental.get(name) != full.get(name)
    } <= state


def test_sources_that_send_everything_again_bring_nobody_back(house: House, erased: Erased) -> None:
    for system in load_systems().values():
        for table in system.tables:
            if system.kind != "files":
                reset_watermark(system.system, table.name, None, house.warehouse)
    with house.warehouse.connect(Role.LOADER) as connection:
        # Bills are known by their content: read them all again.
        connection.execute("update meta.batch set unit_hash = 'forgotten' where unit_hash is not null")
        connection.commit()
    run_night(house.warehouse, NIGHT)
    building.build(NIGHT, into=house.warehouse)
    assert house.one("select sum(rows_suppressed) from meta.batch") > 20
    assert house.one("select count(*) from meta.batch where status = 'merged' and rows_suppressed > 0") > 3
    _is_gone(house, erased)
    assert _money(house) == erased.money
    # Under another key, as old news: neither.
    with psycopg.connect(house.warehouse.url(Role.SIMULATOR, "sim_signup")) as connection:
        connection.execute(
            "insert into contacts (contact_id, campus_id, name, phone, created_at, updated_at)"
            " select 987654321, campus_id, 'Somebody', %s, created_at, updated_at from contacts limit 1",
            (erased.phone,),
        )
    reset_watermark("signup", "contacts", None, house.warehouse)
    run_night(house.warehouse, NIGHT, ("signup",))
    assert house.ask("select phone from raw.signup__contacts where contact_id = '987654321'") == [(None,)]


def test_a_restore_brings_nobody_back(house: House, erased: Erased) -> None:
    assert ledger.read_file(), "the ledger outlives the database"
    for value in [*erased.values, *erased.subject.customers]:
        assert value not in ledger.ledger_file().read_text(encoding="utf-8")
    assert restore(house.warehouse, erased.saved) == 1
    _is_gone(house, erased)
    assert _money(house) == erased.money
    [request] = ledger.requests(house.warehouse, "honoured")
    assert request.came_by == "replay"
    before = contents(house.warehouse)
    assert erasure.replay(house.warehouse) == []
    assert contents(house.warehouse) == before


def test_periods_run_out_by_themselves(house: House, erased: Erased) -> None:
    assert retention.apply(house.warehouse, dry_run=True)["never_bought_days"] == 0
    with house.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("update core.retention_rules set days = 200 where rule = 'never_bought_days'")
        connection.commit()
    found = retention.apply(house.warehouse)["never_bought_days"]
    assert found > 0
    asked = ledger.requests(house.warehouse, "open")
    assert {(each.came_by, each.reason) for each in asked} == {("retention", "retention: never_bought_days")}
    assert len(asked) == found
    assert retention.apply(house.warehouse)["never_bought_days"] == found
    assert len(ledger.requests(house.warehouse, "open")) == found, "asked once"


def test_requests_come_by_file(house: House, erased: Erased) -> None:
    ledger.inbox().mkdir(parents=True, exist_ok=True)
    path = ledger.inbox() / "march.csv"
    path.write_text("learner_id,reason\nnobody-9,by letter\n", encoding="utf-8")
    with house.warehouse.connect(Role.LOADER) as connection:
        connection.execute("delete from vault.erasure_request where status = 'open'")
        connection.commit()
    assert ledger.read_inbox(house.warehouse) == 1
    assert not path.exists(), "a file with names is not left lying"
    assert erasure.honour(house.warehouse) == []
    [request] = ledger.requests(house.warehouse, "unknown")
    assert (request.came_by, request.reason) == ("file", "by letter")
