"""How every fact of `core` follows from the canonical tables, told a second time and without the models.

An audit compares the two tellings: rows, and sums to the cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from lifecourse.quality.checks import Build, Check, columns_of, literal
from lifecourse.settings import settings


@dataclass(frozen=True)
class Fact:
    """A fact in terms of canonical tables.

    `rows` is the from-clause, in which `it` is the canonical table of the fact. `learner` says whose row it
    is; one that need not have a customer says its `lead`. Rows of a `day` after the build's are left out.
    `figures` are sums that must agree: column of the fact -> expression. A fact coarser than the table says
    what one row is `per`. In every text `{canonical}` is the schema of the canonical tables, `{as_of}` the
    build's day and `{day:<instant>}` the institution's day of an instant.
    """

    name: str
    rows: str
    day: str
    learner: str | None = None
    lead: str | None = None
    where: str = "true"
    figures: Mapping[str, str] = field(default_factory=dict)
    per: str | None = None
    is_counted: bool = True


def checks(
    connection: psycopg.Connection[Any], build: Build, facts: Iterable[Fact], canonical: str
) -> Iterable[Check]:
    """One check per fact that the candidate has, on the customers (or leads) that this build answers for."""
    columns = columns_of(connection, build.schema)
    late = _merged_since(connection, build)
    if "*" in late:
        return  # somebody changed everybody while the build ran: there is nothing left to compare with
    for fact in facts:
        has = columns.get(fact.name, frozenset())
        if "customer_id" not in has or "customer_registry" not in columns:
            continue
        yield _agreement(build, canonical, fact, has, columns, bool(late))


def _merged_since(connection: psycopg.Connection[Any], build: Build) -> set[str]:
    """Kinds of keys that batches merged after the build began have touched; '*' where that is everybody."""
    if build.known_at_load is not None:
        return set()
    rows = connection.execute(
        "select distinct kind, key = '*' from meta.touched where load_id > %s", (build.last_load_id,)
    ).fetchall()
    return {"*" if is_everybody else kind for kind, is_everybody in rows}


def _agreement(
    build: Build,
    canonical: str,
    fact: Fact,
    has: frozenset[str],
    columns: Mapping[str, frozenset[str]],
    has_late: bool,
) -> Check:
    """The fact's rows and sums against those of the canonical tables."""
    figures = {name: expression for name, expression in fact.figures.items() if name in has}

    def filled(text: str) -> str:
        return _fill(text, build, canonical)

    facts = f'"{build.schema}"."{fact.name}"'
    if fact.learner:
        in_scope = _customers_in_scope(build, canonical, has_late)
        key, owner = "customer_id", f"known.learner_id = {fact.learner}"
    else:
        in_scope = _leads_in_scope(build, canonical, has_late, "changed_lead" in columns)
        key, owner = "lead_id", f"known.lead_id = {fact.lead}"
    rows = "count(*)" if fact.is_counted else "0"
    built = [f"{rows} as rows", *(f"coalesce(sum({name}), 0) as {name}" for name in figures)]
    summed = [f"coalesce(sum({filled(each)}), 0) as {name}" for name, each in figures.items()]
    rows_held = f"""
        from {filled(fact.rows)}
        inner join known on {owner}
        where ({filled(fact.day)}) <= {literal(build.as_of)} and {filled(fact.where)}
    """
    if fact.per:
        grouped = f"select {', '.join(summed or ['1'])} {rows_held} group by {filled(fact.per)}"
        held = f"select {', '.join(built)} from ({grouped}) as grain"
    else:
        held = f"select {', '.join([f'{rows} as rows', *summed])} {rows_held}"
    # Where everything is compared, a row of somebody whom no source knows any more is one too many.
    compared = (
        f"{key} is not null" if build.is_whole and not has_late else f"{key} in (select {key} from known)"
    )
    # Of few customers a sum may be one person's: only whether it agrees is told.
    differing = " || ".join(
        [
            "''",
            *(
                f"case when built.{name} <> held.{name} then ', sum of {name} differs' else '' end"
                for name in figures
            ),
        ]
    )
    expected = f"', equal sums of {', '.join(figures)}'" if figures else "''"
    query = f"""
        with known as materialized ({in_scope}),
        built as (select {", ".join(built)} from {facts} where {compared}),
        held as ({held})
        select
            {"built.rows || ' rows'" if fact.is_counted else "'sums'"} || {differing},
            {"held.rows || ' rows'" if fact.is_counted else "'sums'"} || {expected},
            {" and ".join(f"built.{name} = held.{name}" for name in ("rows", *figures))}
        from built
        cross join held
    """
    of = "all customers" if build.is_whole else "the customers of this build"
    return Check(
        "counts",
        fact.name,
        f"{fact.name} holds the rows of the canonical tables up to the day of the build, for {of}",
        query,
        f"Compare {build.schema}.{fact.name} with its staging views; a row lost in a join is the usual "
        f"cause. Then build again, with --full if only customers of earlier builds differ.",
    )


def _customers_in_scope(build: Build, canonical: str, has_late: bool) -> str:
    """Learners of customers that some source still knows; in an incremental build those it recomputed."""
    schema = f'"{build.schema}"'
    conditions = [
        f"""(
            exists (select from {canonical}.learners as it where it.learner_id = registry.learner_id)
            or exists (select from {canonical}.enrolments as it where it.learner_id = registry.learner_id)
            or exists (select from {canonical}.orders as it where it.learner_id = registry.learner_id)
            or exists (select from {canonical}.leads as it where it.learner_id = registry.learner_id)
            or (
                registry.learner_id like 'lead:%'
                and exists (
                    select from {canonical}.leads as it where it.lead_id = substring(registry.learner_id from 6)
                )
            )
        )"""
    ]
    if not build.is_whole:
        conditions.append(f"registry.customer_id in (select customer_id from {schema}.changed_customer)")
    if has_late:
        conditions.append(
            f"registry.customer_id not in (select customer_id from {schema}.customer_registry "
            f"where learner_id in ({_late_learners(build, canonical)}))"
        )
    return (
        f"select registry.learner_id, registry.customer_id from {schema}.customer_registry as registry "
        f"where {' and '.join(conditions)}"
    )


def _leads_in_scope(build: Build, canonical: str, has_late: bool, has_list: bool) -> str:
    conditions = []
    if not build.is_whole and has_list:
        conditions.append(f'lead.lead_id in (select lead_id from "{build.schema}".changed_lead)')
    if has_late:
        touched = f"select key from meta.touched where kind = 'lead' and load_id > {build.last_load_id}"
        conditions.append(f"lead.lead_id not in ({touched})")
    return f"select lead.lead_id from {canonical}.leads as lead where {' and '.join(conditions) or 'true'}"


def _late_learners(build: Build, canonical: str) -> str:
    """Learners whose rows a batch has changed since the build began: they are compared another night."""
    touched = f"(select kind, key from meta.touched where load_id > {build.last_load_id}) as touched"
    return f"""
        select key from {touched} where kind = 'learner'
        union
        select it.learner_id from {touched} inner join {canonical}.orders as it on it.order_id = key
        where kind = 'order'
        union
        select it.learner_id from {touched} inner join {canonical}.attendance as it on it.lesson_id = key
        where kind = 'lesson'
        union
        select it.learner_id from {touched} inner join {canonical}.leads as it on it.lead_id = key
        where kind = 'lead' and it.learner_id is not null
        union
        select 'lead:' || key from {touched} where kind = 'lead'
        union
        select it.learner_id from {touched} inner join core.identity_lead as it on it.lead_id = key
        where kind = 'lead'
    """


def _fill(text: str, build: Build, canonical: str) -> str:
    """`{canonical}` and `{day:<instant>}` (the institution's day of an instant) filled in."""
    zone = literal(settings().timezone)
    text = text.replace("{canonical}", canonical).replace("{as_of}", literal(build.as_of))
    while "{day:" in text:
        start = text.index("{day:")
        end = text.index("}", start)
        text = f"{text[:start]}cast({text[start + 5 : end]} at time zone {zone} as date){text[end + 1 :]}"
    return text
