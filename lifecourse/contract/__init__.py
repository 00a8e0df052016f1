"""The canonical contract: the tables that every institution's systems are mapped to.

Three files, one per kind of system. A table says its grain, its key, the column that tells
when a row changed (`change_time`, default ``updated_at``), whether rows are only ever added
(`append_only`) and which customers a changed row touches (`touches`: a kind of key and the
column that holds it, ``all``, or nothing). A column says its type, whether it is required and,
for personal data, of which kind: such a column holds a vault token everywhere but in the vault. A column with `derive`
is in no source: the loader computes it `of` a personal column before that enters the vault.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

SystemKind = Literal["signup", "teaching", "payments"]
PersonalKind = Literal["name", "phone", "email", "birth_date", "external_id", "free_text", "address"]

#: Contract type -> Postgres type. Money is numeric everywhere; a token is a random uuid.
POSTGRES_TYPES = {
    "text": "text",
    "date": "date",
    "timestamptz": "timestamptz",
    "integer": "integer",
    "bigint": "bigint",
    "boolean": "boolean",
    "numeric": "numeric",
    "money": "numeric(18,2)",
    "hours": "numeric(10,2)",
    "numeric(18,5)": "numeric(18,5)",
    "token": "uuid",
}


class Column(BaseModel):
    """One canonical column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    description: str
    required: bool = False
    personal: PersonalKind | None = None
    #: What the vault computes from the personal column `of`, in whatever source that column is.
    derive: str | None = None
    of: str | None = None

    @property
    def postgres_type(self) -> str:
        return POSTGRES_TYPES[self.type]

    @model_validator(mode="after")
    def _known_type(self) -> Column:
        if self.type not in POSTGRES_TYPES:
            raise ValueError(f"unknown type {self.type!r}; one of {', '.join(POSTGRES_TYPES)}")
        if (self.type == "token") != (self.personal is not None):
            raise ValueError("a personal column has type token, and only a personal column has")
        return self


class Table(BaseModel):
    """One canonical table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    system_kind: SystemKind
    grain: str
    key: tuple[str, ...]
    columns: dict[str, Column]
    change_time: str = "updated_at"
    append_only: bool = False
    touches: Literal["all"] | dict[str, str] | None = None

    @model_validator(mode="after")
    def _columns_exist(self) -> Table:
        named = {*self.key, self.change_time}
        if isinstance(self.touches, dict):
            named |= set(self.touches.values())
        missing = named - set(self.columns)
        if missing:
            raise ValueError(f"{self.name}: no such column: {', '.join(sorted(missing))}")
        return self


@cache
def tables() -> dict[str, Table]:
    """Every canonical table by name, in the order parents before children need not follow."""
    found: dict[str, Table] = {}
    for kind in ("signup", "teaching", "payments"):
        path = Path(__file__).with_name(f"{kind}.yml")
        for name, body in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            found[name] = Table(name=name, system_kind=kind, **body)
    return found


def table(name: str) -> Table:
    """The canonical table of that name; `KeyError` with the known names otherwise."""
    known = tables()
    if name not in known:
        raise KeyError(f"no canonical table {name!r}; known: {', '.join(sorted(known))}")
    return known[name]
