"""What sqlfluff takes for dbt's own macros: the names of types."""

from __future__ import annotations


def type_string() -> str:
    """Text."""
    return "text"


def type_int() -> str:
    """A whole number."""
    return "integer"


def type_numeric() -> str:
    """An exact number."""
    return "numeric"


def type_timestamp() -> str:
    """An instant."""
    return "timestamptz"


def type_float() -> str:
    """A number with a floating point."""
    return "float"
