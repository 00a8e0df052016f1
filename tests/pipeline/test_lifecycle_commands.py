"""`lifecourse explain` and `lifecourse rules` on a published build."""

from __future__ import annotations

import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from lifecourse import building
from lifecourse.cli import app
from lifecourse.errors import LifecourseError
from lifecourse.lifecycle import whatif
from lifecourse.lifecycle.explain import Page
from lifecourse.lifecycle.history import NotKnown, read_history
from lifecourse.lifecycle.names import Language, names
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.locks import LOCK_BUILD, LOCK_RULES
from tests.pipeline.canonical import Canonical, snapshot
from tests.pipeline.rows import learner
from tests.pipeline.test_build import FIRST, FIRST_NIGHT

pytestmark = pytest.mark.slow

#: A line to 11 January, and grace to 10 February, the published day; under ten days of grace gone since 22 January.
LAPSING = "C000000001"
#: A goal missed on 31 January.
BELOW = "C000000002"
COMPLAINT = "C000000003"
GRACE = "P1,grace_days,10"


class Published:
    """A warehouse with one published build, and the commands on it."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.canonical = Canonical(warehouse)
        self.canonical.load(FIRST_NIGHT)
        self.canonical.deliver(FIRST)
        self.build = building.build(FIRST, into=warehouse)

    def page(self, customer: str, on: date | None = None, **console: Any) -> str:
        """What `explain` prints on a console of some kind."""
        out = io.StringIO()
        screen = Console(file=out, highlight=False, **{"width": 120, **console})
        page = Page(screen, read_history(self.warehouse, customer), names(Language.EN))
        page.day(on) if on else page.whole()
        return out.getvalue()

    def rows(self, query: str, role: Role = Role.ADMIN) -> list[tuple[Any, ...]]:
        with self.warehouse.connect(role) as connection:
            return connection.execute(query.encode()).fetchall()

    def schemas(self) -> set[str]:
        return {name for (name,) in self.rows("select nspname from pg_namespace where nspname !~ '^pg_'")}

    def everything(self) -> dict[str, Any]:
        """What a comparison must not touch."""
        meta = {
            name: self.rows(f"select t::text from meta.{name} as t order by 1")
            for name in ("build", "publication", "check_result", "touched")
        }
        relations = self.rows(
            "select relnamespace::regnamespace::text, relname, relfilenode from pg_class"
            " where relnamespace::regnamespace::text in ('core', 'marts') order by 1, 2"
        )
        return {
            **{schema: snapshot(self.warehouse, schema) for schema in ("core", "marts")},
            "meta": meta,
            "relations": relations,
            "schemas": self.schemas(),
        }


@pytest.fixture(scope="module")
def published(module_warehouse: Warehouse) -> Published:
    return Published(module_warehouse)


def lifecourse(*arguments: str) -> str:
    # As wide whatever the terminal: a narrow one turns tables into lists.
    result = CliRunner(env={"COLUMNS": "140"}).invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


# -- explain ---------------------------------------------------------------------------------------------


def test_a_timeline_says_when_what_and_why(published: Published) -> None:
    said = lifecourse("explain", BELOW)
    assert "\x1b" not in said, "no colour in a pipe"
    ((version, cause),) = published.rows(
        f"select rule_version, cause_id from marts.fct_lifecycle_transition where customer_id = '{BELOW}'"
        " and layer = 'danger'"
    )
    assert f"Now: In danger, base stage {_base(said)}, since 2026-01-31." in said
    assert re.search(r"^stage +p+o+!+$", said, re.MULTILINE)
    assert re.search(r"^base stage +p+o+$", said, re.MULTILINE)
    assert re.search(r"^ Below expectation +\.+=+$", said, re.MULTILINE)
    assert re.search(r"Below expectation +behaviour +2026-01-31 +open +11 +goal_id G1", said)
    assert re.search(rf"2026-01-31 +danger +clear +In danger +Risk signal opened .*{version}", said)
    assert cause in said
    assert re.search(r"2025-09-03 +base +Prospect +Onboarding +First purchase +orders O2", said)


def _base(said: str) -> str:
    found = re.search(r"^2026-01-31 +open +11 +In danger +(\w+)", said, re.MULTILINE)
    assert found
    return found[1]


def test_every_stretch_has_its_cells(published: Published) -> None:
    history = read_history(published.warehouse, LAPSING)
    days = (history.as_of - history.first_contact_on).days + 1
    said = published.page(LAPSING, width=days + 22)
    stage = next(line for line in said.splitlines() if line.startswith("stage"))
    expected = "".join(
        {"prospect": "p", "onboarding": "o", "danger": "!"}[each.stage_code]
        * ((each.valid_to or date(2026, 2, 11)) - each.valid_from).days
        for each in history.spans
    )
    assert stage == "stage".ljust(22) + expected, "one cell per day where there is room"


def test_a_day_is_explained(published: Published) -> None:
    said = lifecourse("explain", BELOW, "--on", "2026-02-05")
    assert re.search(r"^stage +In danger, base stage Onboarding$", said, re.MULTILINE)
    assert re.search(r"^since +2026-01-31 \(5 days before\)$", said, re.MULTILINE)
    assert re.search(r"^run +run 1, day 155 from its first purchase on 2025-09-03$", said, re.MULTILINE)
    assert "none by 2026-02-10, the published day" in said
    assert "cause:  Below expectation (goal_id G1, measured_on 2026-01-30" in said
    before = lifecourse("explain", BELOW, "--on", "2026-01-30")
    assert re.search(
        r"^next change +2026-01-31, in 1 day: In danger, base stage Onboarding$", before, re.MULTILINE
    )
    assert "Open on the day: none" in before
    assert "Risk signal opened" not in before


def test_chinese_names(published: Published) -> None:
    said = lifecourse("explain", COMPLAINT, "--lang", "zh")
    assert "投诉未结" in said
    assert "危险期" in said
    assert "首次购买" in said


@pytest.mark.parametrize("width", [30, 60, 95, 96, 200])
def test_it_fits_the_terminal(published: Published, width: int) -> None:
    for customer in (LAPSING, BELOW, COMPLAINT):
        for on in (None, FIRST):
            said = published.page(customer, on, width=width)
            assert max(cell_len(line) for line in said.splitlines()) <= width
            assert "2026-01-" in said


def test_colour_is_for_those_who_want_it(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = published.page(BELOW, force_terminal=True, color_system="standard")
    assert re.search(r"\x1b\[[0-9;]*41m!", coloured), "danger on red"
    plain = published.page(BELOW, force_terminal=True, no_color=True)
    assert not re.search(r"\x1b\[[0-9;]*[34][0-7]m", plain)
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert stripped == re.sub(r"\x1b\[[0-9;]*m", "", plain) == published.page(BELOW)


def test_it_reads_as_a_reader(published: Published) -> None:
    for role in ("bi_reader", "analyst"):
        assert BELOW in lifecourse("explain", BELOW, "--role", role)
    with pytest.raises(LifecourseError, match="no reader of marts"):
        lifecourse("explain", BELOW, "--role", "loader")


@pytest.mark.parametrize(
    ("customer", "day", "what", "do"),
    [
        ("C999999999", None, "no published customer", "dim_customer"),
        ("2", None, "no published customer", "learner ids of the source systems"),
        (BELOW, "2025-08-18", "before the first contact on 2025-08-19", "from 2025-08-19 to 2026-02-10"),
        (BELOW, "2026-02-11", "after the published day 2026-02-10", "build the later one"),
    ],
)
def test_what_cannot_be_told_is_told(
    published: Published, customer: str, day: str | None, what: str, do: str
) -> None:
    with pytest.raises(NotKnown) as error:
        lifecourse("explain", customer, *(["--on", day] if day else []))
    assert what in error.value.what
    assert do in (error.value.do or "")


def test_the_first_and_the_last_day_are_known(published: Published) -> None:
    assert "Prospect" in lifecourse("explain", BELOW, "--on", "2025-08-19")
    assert "In danger" in lifecourse("explain", BELOW, "--on", "2026-02-10")


def test_nothing_published(warehouse: Warehouse) -> None:
    with pytest.raises(NotKnown, match="nothing is published yet"):
        read_history(warehouse, BELOW)
    with pytest.raises(LifecourseError, match="nothing is published yet"):
        whatif.rule_set("published", warehouse)


# -- rules -----------------------------------------------------------------------------------------------


def other(folder: Path, *lines: str) -> str:
    path = folder / "other.csv"
    path.write_text("\n".join(["campus_id,rule,value", *lines]) + "\n", encoding="utf-8")
    return str(path)


def test_the_rules_that_hold_are_shown(published: Published, tmp_path: Path) -> None:
    said = lifecourse("rules", "show")
    assert re.search(r"^grace_days +30", said, re.MULTILINE)
    versions = published.rows("select distinct rule_version from marts.fct_lifecycle_span")
    assert [f"version {version}" in said for (version,) in versions] == [True]
    at_campus = lifecourse("rules", "show", "--campus", "P1", "--rules", other(tmp_path, GRACE))
    assert re.search(r"^grace_days +10 +30", at_campus, re.MULTILINE)
    with pytest.raises(LifecourseError, match="no published campus"):
        lifecourse("rules", "show", "--campus", "P9")


def test_who_would_stand_elsewhere(published: Published, tmp_path: Path) -> None:
    """Ten days of grace instead of thirty: the lapsing one has left by 22 January. Nothing else is touched."""
    before = published.everything()
    said = lifecourse(
        "rules", "compare", "published", other(tmp_path, GRACE), "--out", str(tmp_path / "who.csv")
    )
    assert published.everything() == before
    assert "A: published, as published" in said
    assert "B: other, built beside marts" in said
    assert re.search(r"^P1 +grace_days +30 +10", said, re.MULTILINE)
    assert re.search(r"^danger +3 +2 +-1", said, re.MULTILINE)
    assert re.search(r"^terminated +0 +1 +\+1", said, re.MULTILINE)
    assert re.search(r"^lapsing +1 +1 +1 +0", said, re.MULTILINE)
    # One of twelve: eight learners, and four prospects whom only a lead names.
    assert "1 customers (8.3 %) stand elsewhere on 2026-02-10; 1 did on some day." in said
    days = sum(
        row[0]
        for row in published.rows(
            "select coalesce(valid_to, date '2026-02-11') - valid_from from marts.fct_lifecycle_span"
        )
    )
    assert f"20 of {days} customer days" in said, "22 January to 10 February"
    assert (tmp_path / "who.csv").read_text().splitlines() == [
        "customer_id,campus_id,stage_a,stage_b,first_differs_on",
        f"{LAPSING},P1,danger,terminated,2026-01-22",
    ]


def test_the_same_rules_differ_in_nothing_and_build_nothing(published: Published, tmp_path: Path) -> None:
    """Also after a comparison that was killed: what it left is dropped."""
    with published.warehouse.connect(Role.TRANSFORMER) as killed:
        killed.execute("create schema rules_compare")
        killed.execute("create schema rules_a")
        killed.execute("create table rules_a.fct_lifecycle_span as select * from marts.fct_lifecycle_span")
    same = whatif.rule_set(other(tmp_path, "P1,grace_days,30"), published.warehouse)
    found = whatif.compare(whatif.rule_set("seed", published.warehouse), same, published.warehouse)
    assert (found.built, found.movers, found.ever_differing, found.differing_days) == ((), (), 0, 0)
    assert found.customers == len(published.rows("select 1 from marts.dim_customer"))
    assert not {"rules_compare", "rules_a", "rules_b"} & published.schemas()


def test_it_waits_for_a_build_and_keeps_what_it_is_told_to(published: Published, tmp_path: Path) -> None:
    """A build that has the lock is waited for; two built sides; analysts see what is kept, until the next one."""
    heard: list[str] = []
    b = whatif.rule_set(other(tmp_path, GRACE), published.warehouse)
    a = whatif.rule_set(other(tmp_path, "P2,grace_days,5", ",detractor_days,31"), published.warehouse)
    with published.warehouse.connect(Role.TRANSFORMER, autocommit=True) as build:
        build.execute("select pg_advisory_lock(%s)", (LOCK_BUILD,))

        def say(text: str) -> None:
            heard.append(text)
            if "a build is running" in text:
                build.execute("select pg_advisory_unlock(%s)", (LOCK_BUILD,))
            if text.startswith("building"):
                free = build.execute("select pg_try_advisory_lock(%s)", (LOCK_BUILD,)).fetchone()
                assert free == (True,), "models run without the lock"
                build.execute("select pg_advisory_unlock(%s)", (LOCK_BUILD,))

        found = whatif.compare(a, b, published.warehouse, keep=True, say=say)
    assert heard[0].startswith("a build is running")
    assert found.built == ("rules_a", "rules_b")
    assert [(each.customer_id, each.stage_b) for each in found.movers] == [(LAPSING, "terminated")]
    kept = f"select stage_code from rules_b.fct_lifecycle_span where customer_id = '{LAPSING}' and is_current"
    assert published.rows(kept, Role.ANALYST) == [("terminated",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        published.rows(kept, Role.BI_READER)
    # A side that was built under the published rules is what is published.
    unchanged = (
        "select count(*) from (select customer_id, stage_code, valid_from from marts.fct_lifecycle_span except"
        " select customer_id, stage_code, valid_from from rules_a.fct_lifecycle_span) as lost"
    )
    assert published.rows(unchanged) == [(0,)]
    whatif.compare(a, a, published.warehouse)
    assert not {"rules_compare", "rules_a", "rules_b"} & published.schemas()


def test_one_comparison_at_a_time(published: Published) -> None:
    rules = whatif.rule_set("published", published.warehouse)
    with published.warehouse.connect(Role.TRANSFORMER) as first:
        first.execute("select pg_advisory_xact_lock(%s)", (LOCK_RULES,))
        with pytest.raises(LifecourseError, match="another comparison"):
            whatif.compare(rules, rules, published.warehouse)


def test_a_comparison_that_fails_leaves_nothing(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LifecourseError("the model is broken")

    before = published.everything()
    monkeypatch.setattr(whatif._Models, "run", broken)
    b = whatif.rule_set(other(tmp_path, GRACE), published.warehouse)
    with pytest.raises(LifecourseError, match="the model is broken"):
        whatif.compare(whatif.rule_set("seed", published.warehouse), b, published.warehouse)
    assert published.everything() == before


@pytest.mark.parametrize(
    ("lines", "what", "where"),
    [
        (["P1,grace_days,14", ",grace,14"], "no rule has this name", "other.csv line 3"),
        (["P9,grace_days,14"], "no campus has this id", "other.csv line 2"),
        ([",grace_days,soon"], "is no number", "other.csv line 2"),
    ],
)
def test_a_broken_file_is_told_before_anything_is_built(
    published: Published, tmp_path: Path, lines: list[str], what: str, where: str
) -> None:
    with pytest.raises(LifecourseError) as error:
        lifecourse("rules", "compare", "published", other(tmp_path, *lines))
    assert what in error.value.what
    assert error.value.where == where


def test_the_published_rules_are_known_after_the_seed_was_edited(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whatif.rule_set("published", published.warehouse)
    monkeypatch.setattr(whatif, "rules_hash", lambda: "of an edited file")
    again = whatif.rule_set("published", published.warehouse)
    assert again.is_same_as(before)
    assert again.version_at() == before.version_at()


def test_with_rows_loaded_since_both_sides_are_built(published: Published, tmp_path: Path) -> None:
    """What was published knows less than what is there now: like is compared with like.

    The new learner is nobody's customer yet, so that what is built again equals what is published, row by row.
    """
    published.canonical.load({"learners": [learner("9")]})
    b = whatif.rule_set(other(tmp_path, GRACE), published.warehouse)
    a = whatif.rule_set("published", published.warehouse)
    found = whatif.compare(a, b, published.warehouse, keep=True)
    for table in whatif.RESULTS:
        again, readers = (
            sorted(row for (row,) in published.rows(f"select t::text from {schema}.{table} as t"))
            for schema in ("rules_a", "marts")
        )
        assert again == readers
    assert found.rebuilt_because == "rows have been loaded since the publication"
    assert found.built == ("rules_a", "rules_b")
    assert [each.customer_id for each in found.movers] == [LAPSING]
    assert found.customers == len(published.rows("select 1 from marts.dim_customer")), "nobody new"


# -- report ----------------------------------------------------------------------------------------------


def test_the_weekly_report_of_a_learner(published: Published, tmp_path: Path) -> None:
    said = lifecourse("report", "learner", BELOW, "--week", "2026-W06", "--out", str(tmp_path))
    path = tmp_path / f"{BELOW}-2026-W06.html"
    assert said.strip() == str(path)
    page = re.sub(r"<style>.*?</style>|<[^>]+>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    told = " ".join(page.split())
    # Two lessons, one of them late; a piece of homework a day late; scales at (30 % + 60 %) / 2.
    assert "Attendance 2 of 2" in told
    assert "02-03 Piano attended 02-05 Piano late" in told
    assert "due 02-05 scales 1 day late, score 60" in told
    assert "chords 80%" in told
    assert "scales 45% to practise" in told
    assert "no class average" in told.lower(), "the class has two learners"


def test_a_page_for_each_learner_of_the_week(published: Published, tmp_path: Path) -> None:
    said = lifecourse("report", "learner", "--all", "--class", "A1", "--week", "2026-W06", "--out", str(tmp_path),
                      "--lang", "zh")  # fmt: skip
    assert said.startswith("2 pages in ")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{each}-2026-W06.html" for each in (BELOW, COMPLAINT)
    }
    assert "每周学习报告" in (tmp_path / f"{BELOW}-2026-W06.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["C000000999", "--week", "2026-W06"], "no customer C000000999", id="unknown"),
        pytest.param([BELOW, "--week", "2026-W08"], "lies ahead", id="to come"),
        pytest.param([BELOW, "--week", "February"], "no ISO week", id="no week"),
        pytest.param(["--week", "2026-W06"], "whose report", id="nobody"),
        pytest.param([BELOW, "--all", "--week", "2026-W06"], "whose report", id="one and all"),
        pytest.param([BELOW, "--week", "2026-W06", "--role", "admin"], "does not read marts", id="role"),
    ],
)
def test_a_report_that_cannot_be_is_refused(
    published: Published, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(LifecourseError, match=message):
        CliRunner().invoke(
            app, ["report", "learner", *arguments, "--out", str(tmp_path)], catch_exceptions=False
        )
    assert list(tmp_path.iterdir()) == []


def test_the_list_of_actions_says_who_why_and_why_not(published: Published) -> None:
    english = lifecourse("actions", "list", "--campus", "P1", "--suppressed")
    assert "Actions of 2026-02-11" in english
    assert re.search(rf"\d\. {LAPSING}  Lapsing", english)
    assert "The last right to learn is over and was not renewed since 2026-01-12" in english
    done = rf"{COMPLAINT}\s+desk:P1\s+Complaint open\s+Somebody was in contact after it on 2026-02-07"
    assert re.search(done, english)
    chinese = lifecourse("actions", "list", "--owner", "desk:P1", "--lang", "zh")
    assert "课程已到期，自 2026-01-12 起未续" in chinese


@pytest.mark.parametrize(
    "arguments", ["", "--owner 1 --campus P1", "--owner nobody", "--campus P1 --role loader"]
)
def test_a_list_is_of_an_owner_or_a_campus(published: Published, arguments: str) -> None:
    with pytest.raises(LifecourseError):
        lifecourse("actions", "list", *arguments.split())
