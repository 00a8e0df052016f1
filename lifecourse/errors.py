"""One kind of error for everything a person can mend: what happened, where, and what to do."""

from __future__ import annotations

import psycopg


class LifecourseError(Exception):
    """An error with a remedy.

    The text never holds a value of a row: values may be personal, and errors end up in logs.
    """

    def __init__(self, what: str, where: str | None = None, do: str | None = None) -> None:
        self.what, self.where, self.do = what, where, do
        super().__init__(what, where, do)

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        do = f" What to do: {self.do}" if self.do else ""
        return f"{where}{self.what}{do}"


def sanitised(error: psycopg.Error) -> str:
    """What a database error says without the values it quotes.

    Postgres puts values into the message ("invalid input syntax for type date: ..."), the detail
    ("Key (phone)=(...)") and the context (COPY lines), so only names and the SQLSTATE are kept.
    """
    diag = error.diag
    parts = [f"SQLSTATE {error.sqlstate or 'none'} ({type(error).__name__})"]
    for label, value in (
        ("schema", diag.schema_name),
        ("table", diag.table_name),
        ("column", diag.column_name),
        ("type", diag.datatype_name),
        ("constraint", diag.constraint_name),
    ):
        if value:
            parts.append(f"{label} {value}")
    if error.sqlstate and error.sqlstate[:2] in _VALUE_FREE_CLASSES and diag.message_primary:
        parts.append(diag.message_primary)
    elif not error.sqlstate:
        # A client-side failure (connection lost, refused): no row is involved.
        parts.append(str(error).splitlines()[0] if str(error) else "no message")
    return ", ".join(parts)


# SQLSTATE classes whose primary message names objects and never values: connection, transaction state,
# authorisation, syntax and access rule (undefined table or column), resources, operator intervention.
_VALUE_FREE_CLASSES = frozenset({"08", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58"})
