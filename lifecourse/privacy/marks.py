"""What is remembered of an erased person: HMACs of keys and values, under a key that is never rotated.

The vault asks here before it gives out a token: phone numbers, addresses and accounts as they stood when the person
was erased do not come back.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from lifecourse.privacy.normalise import normalise
from lifecourse.secrets import secret

Connection = psycopg.Connection[Any]

#: Begins every pseudonym of a learner; models know by it who is left out of lists and metrics.
PSEUDONYM_PREFIX = "erased:"
#: Kinds of values that point to one person or household. A name, a birthday or a note is erased as well, but somebody
#: else may have the same.
POINTING_KINDS = ("phone", "email", "external_id")


def mark(kind: str, text: str) -> bytes:
    """The HMAC under which a key or value is remembered."""
    return hmac.new(secret("suppression_key").encode(), f"{kind}\0{text}".encode(), hashlib.sha256).digest()


def value_mark(kind: str, value: str) -> bytes:
    """The HMAC of a personal value, in its one spelling."""
    return mark(f"value {kind}", normalise(kind, value)[0])  # type: ignore[arg-type]


@dataclass(frozen=True)
class SuppressedValues:
    """Values that are not exchanged for a token where they were written before the erasure."""

    erased_at: dict[tuple[str, bytes], datetime]

    @staticmethod
    def read(connection: Connection) -> SuppressedValues:
        return SuppressedValues(
            {
                (kind, bytes(value_hmac)): erased_at
                for kind, value_hmac, erased_at in connection.execute(
                    "select kind, value_hmac, erased_at from vault.suppressed_value"
                )
            }
        )

    def concerns(self, kind: str) -> bool:
        """Whether any value of the kind is suppressed."""
        return any(known == kind for known, _ in self.erased_at)

    def holds(self, kind: str, value: str, written_at: datetime | None) -> bool:
        """Whether a value is old news of somebody erased; without a time it is taken to be."""
        erased_at = self.erased_at.get((kind, value_mark(kind, value)))
        return erased_at is not None and (written_at is None or written_at <= erased_at)
