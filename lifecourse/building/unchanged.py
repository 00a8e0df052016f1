"""What a night need not compute: models of which nothing that they read has changed since they were computed last.

Every model that a night sends leaves a line in `meta.model_state`, in the transaction of its rows: the text that was sent,
the state of everything that it read, and its own, a name that is new whenever a row of it changes. A model whose text is
the same (a day of the build in it makes another text every day) and whose inputs are in the same state would write what
stands there.

The state of an input: of a table of core the name that its line has, of a view what stands in it, of a canonical table
the last load or release by hand that changed a row of it, of fitted models their content. Of anything else it is unknown,
and what reads it is computed. So is everything after a full build, which leaves no lines.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from lifecourse.identity.resolve import mark_of
from lifecourse.sources.spec import load_systems

Connection = psycopg.Connection[tuple[Any, ...]]

#: Canonical tables by which records are grouped (lifecourse/identity/gather.py): identity changes with them only.
IDENTITY_READS = ("leads", "contacts", "learners", "enrolments", "orders", "contracts")
#: Small tables of meta that change when models are fitted, and not with builds.
FITTED = ("model_parameter", "risk_model", "risk_model_band")

_REFERENCE = re.compile(r'"[^"]+"\."([a-z_0-9]+)"\."([a-z_0-9]+)"')


@dataclass(frozen=True)
class Line:
    """A row of `meta.model_state`."""

    text_hash: str
    inputs: Mapping[str, str]
    #: Another one after every change of a row, also where one build computes a model twice.
    state: str
    changed_by_build: str


def references(text: str) -> frozenset[tuple[str, str]]:
    """Schema and name of every table and view that compiled SQL reads; dbt names them with their database."""
    return frozenset(_REFERENCE.findall(text))


def forget_all(connection: Connection) -> None:
    """A full build writes every table in other ways: no line holds any more."""
    connection.execute("delete from meta.model_state")


@dataclass
class Memory:
    """The lines of a night, for several sessions at once.

    `texts`: the SQL of every model and view of the schema by its name there. `seeds`: tables that change with the code
    only, and so with a full build. `rests_on`: of a model that takes what is published and adds what has changed, the
    tables of the schema that decide what comes of it.
    """

    build_id: str
    schema: str
    canonical_schema: str
    texts: Mapping[str, str]
    views: frozenset[str]
    seeds: frozenset[str]
    rests_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    loads: Mapping[str, str] = field(default_factory=dict)
    fitted: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, connection: Connection) -> Memory:
        """With the lines that stand, and the state of what builds do not write."""
        rows = connection.execute(
            "select model, text_hash, inputs, state, changed_by_build from meta.model_state"
        ).fetchall()
        self.lines = {model: Line(*line) for model, *line in rows}
        self.loads = _loads(connection)
        self.fitted = {name: _content(connection, name) for name in FITTED}
        self.identity = mark_of(connection)
        return self

    def forget(self, connection: Connection, models: list[str]) -> None:
        """Models that are computed in another way: what reads them is computed, too."""
        connection.execute("delete from meta.model_state where model = any(%s)", (models,))
        with self.lock:
            for model in models:
                self.lines.pop(model, None)

    def inputs(self, model: str) -> dict[str, str] | None:
        """State of everything that a model reads; none where that of one is not known."""
        found = {}
        named = {(self.schema, name) for name in self.rests_on.get(model, ())}
        for schema, name in named or references(self.texts[model]):
            state = None if (schema, name) == (self.schema, model) else self._state(schema, name)
            if state is None:
                return None
            found[f"{schema}.{name}"] = state
        return found

    def is_current(self, model: str, inputs: dict[str, str] | None) -> bool:
        """Whether the rows of a model that stand are those it would write."""
        line = self.lines.get(model)
        return (
            inputs is not None
            and line is not None
            and line.text_hash == _hash(self.texts[model])
            and line.inputs == inputs
        )

    def note(
        self, connection: Connection, model: str, inputs: dict[str, str] | None, has_changed: bool
    ) -> Line:
        """Write the line of a model that was computed, in the transaction of its rows."""
        before = self.lines.get(model)
        same = before if before and not has_changed else None
        line = Line(
            _hash(self.texts[model]),
            inputs or {},
            same.state if same else secrets.token_hex(8),
            same.changed_by_build if same else self.build_id,
        )
        connection.execute(
            """
            insert into meta.model_state (model, text_hash, inputs, state, changed_by_build)
            values (%s, %s, %s, %s, %s)
            on conflict (model) do update
            set (text_hash, inputs, state, changed_by_build)
                = (excluded.text_hash, excluded.inputs, excluded.state, excluded.changed_by_build)
            """,
            (model, line.text_hash, Jsonb(line.inputs), line.state, line.changed_by_build),
        )
        return line

    def keep(self, model: str, line: Line) -> None:
        """The line of a model whose transaction has ended well."""
        with self.lock:
            self.lines[model] = line

    def _state(self, schema: str, name: str) -> str | None:
        if schema == self.schema:
            return self._state_of_built(name)
        if schema == self.canonical_schema:
            return self.loads.get(name)
        if schema == "meta":
            return self.fitted.get(name)
        return None

    def _state_of_built(self, name: str) -> str | None:
        if name in self.seeds:
            return "seed"
        if name.startswith("identity_"):
            # How records are grouped is code and rules besides: identity leaves a mark of both.
            return _hash(str([self.identity, *(self.loads.get(each) for each in IDENTITY_READS)]))
        if name in self.views:
            inputs = self.inputs(name)
            return None if inputs is None else _hash(self.texts[name] + str(sorted(inputs.items())))
        line = self.lines.get(name)
        return line.state if line else None


@cache
def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _loads(connection: Connection) -> dict[str, str]:
    """Canonical table -> the last load that changed a row of it, in every system that fills it as described today.

    The view of a derived table may read all of its system.
    """
    loads: dict[tuple[str, str], int] = {
        (system, table): load_id
        for system, table, load_id in connection.execute(
            """
            select system, source_table, max(load_id) from meta.batch
            where status = 'merged'
                and coalesce(rows_inserted, 0) + coalesce(rows_updated, 0) + coalesce(rows_deleted, 0)
                + coalesce(rows_released, 0) + coalesce(rows_quarantined, 0) > 0
            group by system, source_table
            """
        ).fetchall()
    }
    # Rows of the erased are changed without a batch, and so are rows released by hand, also of tables that touch nobody.
    row = connection.execute(
        """
        select
            (
                select max(load_id) from meta.touched as touched
                where not exists (select from meta.batch where batch.load_id = touched.load_id)
            ),
            (select max(done_at)::text from meta.manual_action where action = 'released')
        """
    ).fetchone()
    by_hand = str(row)
    found: dict[str, list[str]] = {}
    for system, spec in load_systems().items():
        described = _hash(repr(spec))
        of_system = [load for (name, _), load in loads.items() if name == system]
        for table in spec.tables:
            if table.maps_to:
                load = loads.get((system, table.name), 0)
                found.setdefault(table.maps_to, []).append(f"{described} {load}")
        for canonical in spec.derived:
            found.setdefault(canonical, []).append(f"{described} {max(of_system, default=0)}")
    return {name: _hash(f"{sorted(of)} {by_hand}") for name, of in found.items()}


def _content(connection: Connection, table: str) -> str:
    row = connection.execute(
        f"select md5(coalesce(string_agg(it::text, chr(10) order by it::text), '')) from meta.{table} as it".encode()
    ).fetchone()
    assert row is not None
    return str(row[0])
