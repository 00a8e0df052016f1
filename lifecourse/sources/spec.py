"""The grammar of ``sources/*.yml``: which systems there are and how their tables become canonical ones.

Read `load_systems` first. Every error names the file and the line.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lifecourse import contract
from lifecourse.contract import POSTGRES_TYPES, PersonalKind, SystemKind
from lifecourse.errors import LifecourseError
from lifecourse.secrets import secret
from lifecourse.settings import settings

#: How a source value becomes the column's type. `plain` is the database's own cast and must not fail.
Cast = Literal["plain", "local_time", "text_date", "text_number", "unix_seconds"]
#: What the vault computes from a personal column before the value disappears into it.
Derivation = Literal["is_valid", "year", "is_nickname", "name_core", "swapped"]

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,40}$")


class ColumnSpec(BaseModel):
    """One landed column: where it comes from and how it is cast."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str = ""
    source: str | None = Field(None, alias="from")
    type: str | None = None
    cast: Cast = "plain"
    personal: PersonalKind | None = None
    derive: Derivation | None = None
    of: str | None = None
    required: bool = False
    #: REST only: an object may lack the field, which then is null; without it a missing field stops the table.
    optional: bool = False

    @property
    def postgres_type(self) -> str:
        return POSTGRES_TYPES[self.type or "text"]

    @model_validator(mode="after")
    def _consistent(self) -> ColumnSpec:
        if (self.derive is None) != (self.of is None):
            raise ValueError("`derive` and `of` go together, e.g. {derive: year, of: birth_date}")
        if self.derive and self.source:
            raise ValueError("a derived column has no `from`; it is computed from the column named in `of`")
        if self.type is not None and self.type not in POSTGRES_TYPES:
            raise ValueError(f"unknown type {self.type!r}; one of {', '.join(POSTGRES_TYPES)}")
        return self


class TableSpec(BaseModel):
    """One source table. After validation `columns` holds every landed column, in landed order."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str
    maps_to: str | None = None
    source: str | None = Field(None, alias="from")
    key: tuple[str, ...] = ()
    change_time: str | None = None
    append_only: bool | None = None
    lag: timedelta = timedelta(hours=2)
    deletes: Literal["compare", "none"] | None = None
    touches: Literal["all"] | dict[str, str] | None = None
    suite: str | None = None
    max_failing_share: float = Field(0.2, ge=0, le=1)
    min_rows_to_refuse: int = Field(50, ge=1)
    absent: tuple[str, ...] = ()
    columns: dict[str, ColumnSpec] = {}
    # files
    pattern: str | None = None
    format: Literal["csv", "parquet", "wechat_bill", "alipay_bill"] | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    # rest
    path: str | None = None

    @field_validator("lag", mode="before")
    @classmethod
    def _lag(cls, value: object) -> object:
        if isinstance(value, str) and (match := re.fullmatch(r"(\d+) (minute|hour|day)s?", value.strip())):
            return timedelta(**{match[2] + "s": int(match[1])})
        raise ValueError("a lag reads like `2 hours`, `30 minutes` or `3 days`")

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError("`columns` maps a landed column to its source column or to a mapping")
        return {name: {"from": body} if isinstance(body, str) else body for name, body in value.items()}

    @model_validator(mode="after")
    def _resolve(self) -> TableSpec:
        if not _NAME.match(self.name):
            raise ValueError(f"table name {self.name!r}: lower case letters, digits and _ only")
        if self.maps_to is not None:
            self._take_from_contract(self.maps_to)
        for name, column in self.columns.items():
            column.name = name
            if column.type is None:
                column.type = "token" if column.personal else "text"
            if column.personal and column.type != "token":
                raise ValueError(f"column {name}: a personal column lands as a token; leave `type` out")
            if column.derive is None and column.source is None:
                column.source = name
        self._check_names()
        return self

    def _take_from_contract(self, canonical: str) -> None:
        try:
            table = contract.table(canonical)
        except KeyError as error:
            raise ValueError(str(error.args[0])) from None
        unknown = set(self.absent) - set(table.columns)
        if unknown:
            raise ValueError(f"`absent` names columns that {canonical} has not: {', '.join(sorted(unknown))}")
        required_absent = [name for name in self.absent if table.columns[name].required]
        if required_absent:
            raise ValueError(f"{canonical} needs {', '.join(required_absent)}; it cannot be absent")
        columns: dict[str, ColumnSpec] = {}
        for name, canonical_column in table.columns.items():
            if name in self.absent:
                continue
            if canonical_column.derive and name not in self.columns:
                if canonical_column.of in self.absent:
                    continue
                column = ColumnSpec.model_validate(
                    {"derive": canonical_column.derive, "of": canonical_column.of}
                )
            else:
                column = self.columns.get(name) or ColumnSpec.model_validate({"from": name})
            if column.type not in (None, canonical_column.type):
                raise ValueError(f"column {name}: the contract says {canonical_column.type}")
            column.type = canonical_column.type
            column.personal = canonical_column.personal
            column.required = canonical_column.required
            columns[name] = column
        columns.update({name: column for name, column in self.columns.items() if name not in columns})
        self.columns = columns
        self.key = self.key or table.key
        self.change_time = self.change_time or table.change_time
        if self.append_only is None:
            self.append_only = table.append_only
        if self.touches is None:
            self.touches = table.touches
        self.suite = self.suite or canonical

    def _check_names(self) -> None:
        if not self.columns:
            raise ValueError(f"table {self.name}: say `maps_to` or list `columns`")
        named = {"key": self.key, "change_time": (self.change_time,) if self.change_time else ()}
        for what, names in named.items():
            missing = [n for n in names if n not in self.columns and n not in ("file_id", "row_number")]
            if missing:
                raise ValueError(f"`{what}` names no landed column: {', '.join(missing)}")
        for column in self.columns.values():
            if column.of and (column.of not in self.columns or not self.columns[column.of].personal):
                raise ValueError(f"column {column.name}: `of` must name a personal column of this table")
        if isinstance(self.touches, dict):
            missing = [n for n in self.touches.values() if n not in self.columns]
            if missing:
                raise ValueError(f"`touches` names no landed column: {', '.join(missing)}")

    @property
    def personal_columns(self) -> list[ColumnSpec]:
        return [column for column in self.columns.values() if column.personal]

    @property
    def derived_columns(self) -> list[ColumnSpec]:
        return [column for column in self.columns.values() if column.derive]

    @property
    def read_columns(self) -> list[ColumnSpec]:
        """The columns a reader delivers: all but the derived ones."""
        return [column for column in self.columns.values() if not column.derive]


class DerivedTable(BaseModel):
    """A canonical table that takes SQL over several raw tables of the system."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(
        description="File beside the YAML; `{table}` stands for the live rows of a raw table, `{timezone}` for the system's"
    )


class SystemSpec(BaseModel):
    """One source system."""

    model_config = ConfigDict(extra="forbid")

    system: str
    serves: SystemKind
    kind: Literal["sql", "rest", "files"]
    dialect: Literal["postgres", "mysql", "stripe"] = "postgres"
    url: str | None = None
    token: str | None = None
    directory: str | None = None
    timezone: str | None = None
    page_size: int = Field(500, ge=1, le=10_000)
    # Bills come the next morning after ten: such a system does not hold the build up.
    holds_build: bool = True
    tables: list[TableSpec]
    derived: dict[str, DerivedTable] = {}
    file: Path = Field(Path(), exclude=True)

    @model_validator(mode="after")
    def _complete(self) -> SystemSpec:
        if not _NAME.match(self.system):
            raise ValueError(f"system name {self.system!r}: lower case letters, digits and _ only")
        if self.kind == "files" and not self.directory:
            raise ValueError("kind files needs a `directory`")
        if self.kind in ("sql", "rest") and not self.url:
            raise ValueError(f"kind {self.kind} needs a `url`")
        if (self.dialect == "mysql" and self.kind != "sql") or (
            self.dialect == "stripe" and self.kind != "rest"
        ):
            raise ValueError(f"kind {self.kind} has no dialect {self.dialect}")
        names = [table.name for table in self.tables]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"tables described twice: {', '.join(sorted(twice))}")
        known = contract.tables()
        unknown = set(self.derived) - set(known)
        if unknown:
            raise ValueError(f"`derived` names no canonical table: {', '.join(sorted(unknown))}")
        for table in self.tables:
            if self.kind == "files":
                if not table.pattern or not table.format:
                    raise ValueError(f"table {table.name}: kind files needs `pattern` and `format`")
                table.key = table.key or ("file_id", "row_number")
            elif not table.key:
                raise ValueError(f"table {table.name}: say its `key`")
            if table.deletes is None:
                is_comparable = self.kind == "sql" and self.dialect == "postgres"
                table.deletes = "compare" if is_comparable else "none"
            if self.kind == "sql" and not table.source:
                table.source = table.name
            if self.kind == "rest" and not table.path:
                table.path = f"/v1/{table.name}"
        return self

    def table(self, name: str) -> TableSpec:
        for table in self.tables:
            if table.name == name:
                return table
        raise LifecourseError(
            f"system {self.system} has no table {name!r}",
            str(self.file),
            f"one of: {', '.join(self.table_names)}",
        )

    @property
    def table_names(self) -> list[str]:
        return [table.name for table in self.tables]


def resolve(text: str | None, where: str) -> str:
    """A setting of a YAML file, resolved.

    It may hold ``${VARIABLE}`` and ``${VARIABLE:-default}``; ``secret:name`` stands for a secret and
    ``home:path`` for a path in the home folder.
    """
    if text is None:
        return ""

    def from_environment(match: re.Match[str]) -> str:
        value = os.environ.get(match[1], match[3] if match[2] else None)
        if value is None:
            raise LifecourseError(
                f"environment variable {match[1]} is not set", where, "set it and try again"
            )
        return value

    resolved = re.sub(r"\$\{(\w+)(:-([^}]*))?\}", from_environment, text)
    if resolved.startswith("secret:"):
        return secret(resolved.removeprefix("secret:"))
    if resolved.startswith("home:"):
        return str(settings().home / resolved.removeprefix("home:"))
    return resolved


def load_systems(directory: Path | None = None) -> dict[str, SystemSpec]:
    """Every system described in ``*.yml`` of `directory` (default: the setting), by name.

    Raises `LifecourseError` naming file and line for anything that is not as the grammar wants it.
    """
    directory = directory or settings().sources_dir
    files = sorted(directory.glob("*.yml"))
    if not files:
        raise LifecourseError(
            "no system is described here", str(directory), "add a YAML file; docs/sources.md shows how"
        )
    systems: dict[str, SystemSpec] = {}
    for path in files:
        spec = load_system(path)
        if spec.system in systems:
            raise LifecourseError(
                f"system {spec.system!r} is described twice",
                str(path),
                f"see also {systems[spec.system].file}",
            )
        systems[spec.system] = spec
    return systems


def load_system(path: Path) -> SystemSpec:
    """The system described in one YAML file."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        body = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LifecourseError(f"not valid YAML: {error.problem}", f"{path}:{line}", "mend the line") from None
    if not isinstance(body, dict):
        raise LifecourseError(
            "expected a mapping that starts with `system:`", f"{path}:1", "see docs/sources.md"
        )
    try:
        spec = SystemSpec.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        line = _line_of(tree, first["loc"])
        named = ".".join(str(part) for part in first["loc"]) or "the file"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = str(first["msg"]).removeprefix("Value error, ")
        raise LifecourseError(f"{named}: {message}{more}", f"{path}:{line}", "mend the line") from None
    spec.file = path
    return spec


def _line_of(node: yaml.Node | None, loc: tuple[Any, ...]) -> int:
    """Line of the deepest node that the error's path still finds."""
    line = node.start_mark.line + 1 if node else 1
    for part in loc:
        step: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, step = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            step = node.value[part]
            line = step.start_mark.line + 1
        if step is None:
            break
        node = step
    return line
