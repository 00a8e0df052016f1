"""Personal values go into the vault; a random token takes their place everywhere else.

A value is recognised by an HMAC-SHA-256 over its kind and its normal spelling (the key is a secret outside
the database), so the same phone number gets the same token in every system. The HMAC itself never leaves
``vault.token``.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from lifecourse.contract import PersonalKind
from lifecourse.errors import LifecourseError
from lifecourse.privacy.marks import SuppressedValues
from lifecourse.privacy.normalise import birth_date, is_nickname, name_core, normalise, swapped
from lifecourse.secrets import secret
from lifecourse.warehouse.locks import LOCK_VAULT


def key_in_force(connection: psycopg.Connection) -> int:
    """Number of the key that marks are made with; `vault.token.key_id` says which key made a row."""
    row = connection.execute("select key_id from vault.key").fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True)
class Tokens:
    """What takes the place of one column: tokens, and what may be known of the values outside."""

    token: pa.Array  # uuid as text, null where the value is null
    is_valid: pa.Array  # boolean
    year: pa.Array  # integer, for birth dates


class Vault:
    """Exchanges values for tokens over a connection of its own.

    Tokens are committed at once, in short transactions: two pulls that meet the same phone never wait for
    each other's batch. A token whose batch fails afterwards stays behind unused and harmless.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        if not connection.autocommit:
            raise ValueError("the vault's connection must be in autocommit mode")
        self._connection = connection
        self._key_id = key_in_force(connection)
        self._key = secret(f"vault_key_{self._key_id}").encode()
        self._known: dict[tuple[str, bytes], str] = {}
        self._suppressed = SuppressedValues.read(connection)

    def exchange(
        self, kind: PersonalKind, values: pa.Array, written_at: Sequence[datetime | None] | None = None
    ) -> Tokens:
        """Tokens for a column of plain values (text; null and '' have none).

        `written_at`: when the source wrote each row. What it wrote of a person before that person was erased has no
        token either; without the time it is taken to be old.
        """
        values = pc.if_else(pc.equal(pc.utf8_trim_whitespace(values), ""), None, values)
        if self._suppressed.concerns(kind):
            values = self._without_suppressed(kind, values, written_at)
        encoded = values.dictionary_encode()
        plain: list[str] = encoded.dictionary.to_pylist()
        marks, valid, years = [], [], []
        for value in plain:
            spelling, is_valid = normalise(kind, value)
            marks.append(hmac.new(self._key, f"{kind}\0{spelling}".encode(), hashlib.sha256).digest())
            valid.append(is_valid)
            day = birth_date(value) if kind == "birth_date" else None
            years.append(day.year if day else None)
        tokens = self._tokens(kind, marks, plain, valid)
        indices = encoded.indices
        return Tokens(
            pa.array(tokens, pa.string()).take(indices),
            pa.array(valid, pa.bool_()).take(indices),
            pa.array(years, pa.int32()).take(indices),
        )

    def _without_suppressed(
        self, kind: str, values: pa.Array, written_at: Sequence[datetime | None] | None
    ) -> pa.Array:
        plain = values.to_pylist()
        times = written_at or [None] * len(plain)
        return pa.array(
            [
                None if value is None or self._suppressed.holds(kind, value, at) else value
                for value, at in zip(plain, times, strict=True)
            ],
            pa.string(),
        )

    def derive(self, derivation: str, kind: PersonalKind, values: pa.Array) -> pa.Array:
        """What a comparison needs beyond equal tokens, from a column of plain values.

        ``name_core`` and ``swapped`` are personal values themselves: tokens of them; ``is_nickname`` is a boolean.
        """
        encoded = values.dictionary_encode()
        compute = {"name_core": name_core, "swapped": swapped, "is_nickname": is_nickname}[derivation]
        found = [compute(value) if value.strip() else None for value in encoded.dictionary.to_pylist()]
        if derivation == "is_nickname":
            return pa.array(found, pa.bool_()).take(encoded.indices)
        return self.exchange(kind, pa.array(found, pa.string()).take(encoded.indices)).token

    def _tokens(self, kind: str, marks: list[bytes], plain: list[str], valid: list[bool]) -> list[str]:
        # Two spellings of one value share a mark; the first spelling is the one kept.
        new: dict[bytes, tuple[str, bool]] = {}
        for mark, value, is_valid in zip(marks, plain, valid, strict=True):
            if (kind, mark) not in self._known:
                new.setdefault(mark, (value, is_valid))
        if new:
            self._store(kind, new)
        return [self._known[kind, mark] for mark in marks]

    def _store(self, kind: str, new: dict[bytes, tuple[str, bool]]) -> None:
        if len(self._known) > 2_000_000:
            self._known.clear()
        with self._connection.transaction():
            cursor = self._connection.cursor()
            # An erasure holds it exclusively: no value slips in behind it.
            cursor.execute("select pg_advisory_xact_lock_shared(%s)", (LOCK_VAULT,))
            if key_in_force(self._connection) != self._key_id:
                raise LifecourseError(
                    "the vault's key was changed while this pull ran",
                    None,
                    "run it again: nothing of it was merged",
                )
            cursor.execute(
                """
                create temporary table incoming (hmac bytea, token uuid, value text, is_valid boolean)
                on commit drop
                """
            )
            with cursor.copy("copy incoming (hmac, token, value, is_valid) from stdin") as copy:
                # Sorted, so that two pulls that insert the same values do so in the same order.
                for mark in sorted(new):
                    value, is_valid = new[mark]
                    copy.write_row((mark, uuid.uuid4(), value, is_valid))
            cursor.execute(
                """
                with added as (
                    insert into vault.token (hmac, kind, key_id, token)
                    select hmac, %(kind)s, %(key_id)s, token from incoming order by hmac
                    on conflict (hmac, kind) do nothing
                    returning hmac, token
                )
                insert into vault.value (token, kind, value, is_valid)
                select added.token, %(kind)s, incoming.value, incoming.is_valid
                from added join incoming using (hmac)
                """,
                {"kind": kind, "key_id": self._key_id},
            )
            rows = cursor.execute(
                "select hmac, known.token from incoming join vault.token as known using (hmac) where known.kind = %s",
                (kind,),
            ).fetchall()
        for mark, token in rows:
            self._known[kind, bytes(mark)] = str(token)
