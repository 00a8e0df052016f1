"""Values that nobody else has, put into every personal and free-text column of the sources.

Tests plant them before a pull and then look for them: outside the vault none may ever turn up,
neither in a schema nor in a log. Rows with planted faults get one as well, so that what errors and
quarantine keep is looked at too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from psycopg import sql

from lifecourse.contract import tables
from lifecourse.simulator.fault_log import Fault
from lifecourse.simulator.load import Connections
from lifecourse.simulator.schema import SYSTEM_OF, TABLES, key_of

#: Rows per column with a canary, besides rows with faults.
_ROWS = 2
_FAULTY_ROWS = 3


def _value(personal: str, number: int) -> str:
    """A canary of the look that its column wants."""
    return {
        "phone": f"12999{number:06d}",
        "email": f"canary{number:04d}@example.com",
        "birth_date": f"19{number // 336 % 10:02d}-{number // 28 % 12 + 1:02d}-{number % 28 + 1:02d}",
        "external_id": f"oCANARY{number:06d}",
        "name": f"金丝雀{number:04d}",
        "address": f"金丝雀路{number:04d}号",
        "free_text": f"金丝雀的歌 {number:04d}",
    }[personal]


def plant(connections: Connections, faults: Iterable[Fault] = ()) -> list[str]:
    """Overwrite some values of every personal column, without touching change times; gives the canaries.

    The canaries of birth dates lie in the years 1900 to 1909, where nobody else's do.
    """
    faulty: dict[str, list[str]] = {}
    for fault in faults:
        if len(faulty.setdefault(fault.table, [])) < _FAULTY_ROWS:
            faulty[fault.table].append(fault.key)
    planted: list[str] = []
    for name, contract in tables().items():
        if name not in SYSTEM_OF:
            continue
        connection, key = connections[SYSTEM_OF[name]], key_of(name)
        for column, definition in contract.columns.items():
            if definition.personal is None or column not in TABLES[SYSTEM_OF[name]][name]:
                continue
            parts = {"table": sql.Identifier("public", name), "key": sql.Identifier(key),
                     "column": sql.Identifier(column)}  # fmt: skip
            rows = connection.execute(
                sql.SQL(
                    "(select {key}::text from {table} where {column} is not null order by {key} limit %s) "
                    "union select {key}::text from {table} where {key}::text = any(%s) order by 1"
                ).format(**parts),
                (_ROWS, faulty.get(name, [])),
            ).fetchall()
            kind = TABLES[SYSTEM_OF[name]][name][column]
            cast = sql.SQL("date" if kind == "day" else "text")
            for (row,) in rows:
                value = _value(definition.personal, len(planted) + 1)
                connection.execute(
                    sql.SQL("update {table} set {column} = %s::{cast} where {key}::text = %s").format(
                        cast=cast, **parts
                    ),
                    (value, row),
                )
                planted.append(value)
    return planted


def write(path: Path, canaries: list[str]) -> None:
    """Keep the list of canaries for those who look for them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(canaries, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
