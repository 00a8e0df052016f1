"""Personal values go into the vault; a random token takes their place everywhere else.

A value is recognised by an HMAC-SHA-256 over its kind and its normal spelling (the key is a secret outside
the database), so the same phone number gets the same token in every system. The HMAC itself never leaves
``vault.token``.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from lifecourse.contract import PersonalKind
from lifecourse.privacy.normalise import birth_date, normalise
from lifecourse.secrets import secret

#: Number of the key in force; `vault.token.key_id` says which key made a row.
KEY_ID = 1


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
        self._key = secret(f"vault_key_{KEY_ID}").encode()
        self._known: dict[tuple[str, bytes], str] = {}

    def exchange(self, kind: PersonalKind, values: pa.Array) -> Tokens:
        """Tokens for a column of plain values (text; null and '' have none)."""
        values = pc.if_else(pc.equal(pc.utf8_trim_whitespace(values), ""), None, values)
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
                {"kind": kind, "key_id": KEY_ID},
            )
            rows = cursor.execute(
                "select hmac, known.token from incoming join vault.token as known using (hmac) where known.kind = %s",
                (kind,),
            ).fetchall()
        for mark, token in rows:
            self._known[kind, bytes(mark)] = str(token)
