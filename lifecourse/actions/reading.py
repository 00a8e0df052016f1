"""The published list of next actions, and what is not on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.lifecycle.names import Language
from lifecourse.warehouse.connection import Role, Warehouse


@dataclass(frozen=True)
class Action:
    """A row of `marts.mart_next_action` in one language."""

    owner_id: str
    place: int
    subject: str
    due_on: date
    trigger: str
    why: str
    offer: str
    do: str
    channel: str
    addressee: str
    others: str | None


@dataclass(frozen=True)
class Suppressed:
    """A row of `marts.mart_action_suppressed` in one language."""

    owner_id: str
    subject: str
    trigger: str
    why: str
    because: str


@dataclass(frozen=True)
class Lists:
    """The lists of one publication, by owner and place; `list_on` is the day they are for."""

    list_on: date
    actions: tuple[Action, ...]
    suppressed: tuple[Suppressed, ...]


def read_lists(
    target: Warehouse,
    owner: str | None = None,
    campus: str | None = None,
    language: Language = Language.EN,
    role: Role = Role.BI_READER,
) -> Lists:
    """The lists of an owner, or of a campus, all of one publication.

    Raises `LifecourseError` when nothing is published yet, and for an owner or a campus that has neither an action
    nor a reason for none.
    """
    # The language is one of two: it makes the names of columns.
    asked = sql.SQL("where {} = %s").format(sql.Identifier("owner_id" if owner else "campus_id"))
    value = owner or campus
    with target.connect(role) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            published = connection.execute(
                "select as_of + 1 from marts.publication where is_current"
            ).fetchone()
            if published is None:
                raise LifecourseError(
                    "nothing is published yet", "schema marts", "`lifecourse build run DAY` first"
                )
            actions = _rows(connection, Action, sql.SQL(ACTIONS).format(**_named(language)) + asked, value)
            suppressed = _rows(
                connection, Suppressed, sql.SQL(SUPPRESSED).format(**_named(language)) + asked, value
            )
        except psycopg.Error as error:
            raise LifecourseError(
                f"the list cannot be read: {sanitised(error)}", "schema marts", "`lifecourse doctor`"
            ) from None
    if not actions and not suppressed:
        raise LifecourseError(
            "no trigger is live for it, or there is no such owner or campus",
            f"owner {owner}" if owner else f"campus {campus}",
            "owners are advisors, teachers and desk:CAMPUS: `select owner_id from marts.mart_next_action`",
        )
    return Lists(
        published[0],
        tuple(sorted(actions, key=lambda each: (each.owner_id, each.place))),
        tuple(sorted(suppressed, key=lambda each: (each.owner_id, each.subject, each.trigger))),
    )


ACTIONS = (
    "select owner_id, place, coalesce(customer_id, 'lead ' || lead_id) as subject, due_on,"
    " {trigger} as trigger, {why} as why, {offer} as offer, {do} as do, channel, addressee, {others} as others"
    " from marts.mart_next_action "
)
SUPPRESSED = (
    "select coalesce(owner_id, '') as owner_id, coalesce(customer_id, 'lead ' || lead_id) as subject,"
    " {trigger} as trigger, coalesce({why}, '') as why, {because} as because from marts.mart_action_suppressed "
)


def _named(language: Language) -> dict[str, sql.Identifier]:
    return {
        name: sql.Identifier(f"{name}_{language}")
        for name in ("trigger", "why", "offer", "do", "others", "because")
    }


def _rows(
    connection: psycopg.Connection[tuple[Any, ...]], kind: type[Any], query: sql.Composed, value: str | None
) -> list[Any]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query, (value,)).fetchall()
