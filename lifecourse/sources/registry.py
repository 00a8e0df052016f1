"""Which reader serves which kind of system."""

from __future__ import annotations

from lifecourse.sources.base import Reader
from lifecourse.sources.spec import SystemSpec


def open_reader(spec: SystemSpec) -> Reader:
    """The reader for the system, not yet connected; use it in a `with` block."""
    match spec.kind, spec.dialect:
        case "sql", "postgres":
            from lifecourse.sources.sql import PostgresReader

            return PostgresReader(spec)
        case "sql", _:
            from lifecourse.sources.mysql import MySQLReader

            return MySQLReader(spec)
        case "rest", "stripe":
            from lifecourse.sources.stripe import StripeReader

            return StripeReader(spec)
        case "rest", _:
            from lifecourse.sources.rest import RestReader

            return RestReader(spec)
        case _:
            from lifecourse.sources.files import FilesReader

            return FilesReader(spec)
