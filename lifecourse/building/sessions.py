"""A session of dbt kept from node to node.

dbt's connection manager closes the session of a thread after every node. A new one costs a process of the server, a
login and an empty catalogue cache: more than what most nodes of a night compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def kept() -> Iterator[None]:
    """For as long as it lasts, dbt's threads keep their sessions; dbt closes them at the end of an invocation.

    Between nodes a session is rolled back, so that neither a transaction nor what is `local` to it goes over to the
    next. One that is broken is closed, as dbt does.
    """
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    managers: Any = PostgresConnectionManager
    release = managers.release

    def keep(manager: Any) -> None:
        connection = manager.get_if_exists()
        if connection is None or connection.state != "open" or connection.handle.closed:
            release(manager)
            return
        try:
            # Also what psycopg2 began by itself.
            connection.handle.rollback()
        except Exception:
            release(manager)
            return
        connection.transaction_open = False

    managers.release = keep
    try:
        yield
    finally:
        managers.release = release
