"""A new key for the marks by which the vault knows a value again. Tokens stay, so nobody's identity changes.

The new key is made first and named in ``vault.key``; the marks are then made anew in one transaction, from the values,
while nothing else can enter the vault. A kill before its commit leaves the old key in force.
"""

from __future__ import annotations

import hashlib
import hmac

from lifecourse.privacy.normalise import normalise
from lifecourse.privacy.vault import key_in_force
from lifecourse.secrets import secret
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_VAULT

BATCH = 50_000


def rotate(of: Warehouse | None = None) -> tuple[int, int]:
    """Number of the key now in force, and how many marks were made with it.

    Pulls wait meanwhile. A pull that had begun before fails and is tried again with the new key.
    """
    with (of or warehouse()).connect(Role.LOADER) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK_VAULT,))
        key_id = key_in_force(connection) + 1
        key = secret(f"vault_key_{key_id}").encode()
        connection.execute("create temporary table mark_anew (token uuid, hmac bytea) on commit drop")
        with connection.cursor(name="values") as values:
            values.itersize = BATCH
            values.execute("select token, kind, value from vault.value")
            while rows := values.fetchmany(BATCH):
                with connection.cursor() as cursor, cursor.copy("copy mark_anew from stdin") as copy:
                    for token, kind, value in rows:
                        spelling, _ = normalise(kind, value)
                        copy.write_row(
                            (
                                token,
                                hmac.new(key, f"{kind}\0{spelling}".encode(), hashlib.sha256).digest(),
                            )
                        )
        marks = connection.execute(
            "update vault.token set hmac = mark_anew.hmac, key_id = %s from mark_anew where mark_anew.token = token.token",
            (key_id,),
        ).rowcount
        connection.execute("update vault.key set key_id = %s, rotated_at = clock_timestamp()", (key_id,))
        connection.commit()
    return key_id, marks
