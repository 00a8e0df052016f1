"""No personal column, and none derived from one, reaches `marts`: read off the dbt project before it is built.

The contract tags personal columns, and staging carries the tags (``meta: {personal: phone}``). A model that reads a
tagged column has to say so, column by column and with the reason why nothing personal leaves it
(``meta: {reads_personal: {stg_contacts.community: ...}}``), and no column of a table of marts may be a token. What the
vault lets out of a value at loading time (a year of birth, whether a phone is well formed) is not tagged: it is what
may be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lifecourse.errors import LifecourseError

TOKEN_TYPE = "uuid"


class PersonalColumnLeaks(LifecourseError):
    """A model reads or carries a personal column and may not."""


@dataclass(frozen=True)
class Model:
    """What the check needs of a model."""

    name: str
    sql: str
    #: Column -> data type.
    types: Mapping[str, str]
    #: Column -> kind of personal value, for tagged columns.
    personal: Mapping[str, str] = field(default_factory=dict)
    reads_personal: Mapping[str, str] = field(default_factory=dict)
    is_public: bool = False


def verify(manifest: Any) -> None:
    """Raises `PersonalColumnLeaks` naming every model and column of a parsed project that breaks the rule."""
    found = list(leaks(_models(manifest)))
    if found:
        raise PersonalColumnLeaks(
            "; ".join(found),
            "dbt_project/models",
            "leave the column out; if the model needs it and lets nothing of it out, say why in its meta, reads_personal",
        )


def leaks(models: Iterable[Model]) -> Iterator[str]:
    """One sentence per breach."""
    known = list(models)
    tagged = {model.name: model.personal for model in known if model.personal}
    for model in known:
        if model.personal:
            continue
        for column, data_type in model.types.items():
            if model.is_public and data_type == TOKEN_TYPE:
                yield f"{model.name}.{column} is a token in a table of marts"
        read = {f"{parent}.{column}" for parent, column in _read(model, tagged)}
        for column in sorted(read - set(model.reads_personal)):
            yield f"{model.name} reads the personal column {column}"
        for column in sorted(set(model.reads_personal) - read):
            yield f"{model.name} says that it reads {column} and does not"


def _models(manifest: Any) -> Iterator[Model]:
    for node in manifest.nodes.values():
        if node.resource_type == "model":
            meta = node.config.meta
            yield Model(
                name=node.name,
                sql=node.raw_code,
                types={name: column.data_type or "" for name, column in node.columns.items()},
                personal={
                    name: column.meta["personal"]
                    for name, column in node.columns.items()
                    if column.meta.get("personal")
                },
                reads_personal=meta.get("reads_personal", {}),
                is_public=bool(meta.get("public")),
            )


_REF = r"\{\{\s*ref\('(?P<parent>\w+)'\)\s*\}\}"
_COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*|/\*.*?\*/", re.DOTALL)


def _read(model: Model, tagged: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Tagged columns that the SQL names: behind an alias of their table, or bare where only that table is read."""
    text = _COMMENT.sub("", model.sql)
    for parent in dict.fromkeys(re.findall(r"ref\('(\w+)'\)", text)):
        if parent not in tagged:
            continue
        aliases = _aliases(text, parent)
        for column in tagged[parent]:
            behind = any(re.search(rf"\b{re.escape(alias)}\.{column}\b", text) for alias in aliases)
            if behind or _bare(text, aliases, column):
                yield parent, column


def _aliases(text: str, parent: str) -> set[str]:
    """Names under which a table is read: common table expressions over it, `as` behind it, and its own."""
    reference = _REF.replace(r"(?P<parent>\w+)", re.escape(parent))
    names = {parent}
    names |= set(re.findall(rf"(\w+) as \(\s*select \*\s+from {reference}", text))
    names |= set(re.findall(rf"{reference} as (\w+)", text))
    # An import may be read under another name in turn.
    for name in list(names):
        names |= set(re.findall(rf"\b(?:from|join) {name} as (\w+)", text))
    return names


def _bare(text: str, aliases: set[str], column: str) -> bool:
    """Whether a select over the table alone names the column without an alias."""
    for alias in aliases:
        for body in re.findall(
            rf"select((?:(?!\bselect\b).)*?)\bfrom {alias}\b((?:(?!\bselect\b).)*)", text, re.DOTALL
        ):
            if re.search(rf"(?<![.\w]){column}\b(?!\s*\()", body[0]) and not re.search(r"\bjoin\b", body[1]):
                return True
    reference = (
        r"select((?:(?!\bselect\b).)*?)\bfrom \{\{\s*ref\('"
        "(" + "|".join(map(re.escape, aliases)) + r")'\)"
    )
    return any(
        re.search(rf"(?<![.\w]){column}\b(?!\s*\()", body)
        for body, _ in re.findall(reference, text, re.DOTALL)
    )
