"""One spelling per personal value, so that the same person gets the same token. Kind by kind."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

from lifecourse.contract import PersonalKind

_MOBILE = re.compile(r"1\d{10}")
_LANDLINE = re.compile(r"0\d{2,3}\d{7,8}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


def normalise(kind: PersonalKind, value: str) -> tuple[str, bool]:
    """The value's one spelling and whether it is well formed for its kind."""
    text = unicodedata.normalize("NFKC", value).strip()
    match kind:
        case "phone":
            return _phone(text)
        case "email":
            lowered = text.lower()
            return lowered, bool(_EMAIL.fullmatch(lowered))
        case "birth_date":
            day = birth_date(text)
            return (day.isoformat(), True) if day else (text, False)
        case "name":
            return re.sub(r"\s+", "" if _is_chinese(text) else " ", text).casefold(), bool(text)
        case _:
            return text, bool(text)


def birth_date(text: str) -> dt.date | None:
    """The day that a hand-typed birth date means, or None."""
    match = _DATE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not match:
        return None
    try:
        day = dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    return day if 1900 <= day.year <= 2199 else None


def _phone(text: str) -> tuple[str, bool]:
    digits = re.sub(r"[\s()\-.]", "", text)
    digits = re.sub(r"^(\+86|0086)", "", digits)
    return digits, bool(_MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits))


def _is_chinese(text: str) -> bool:
    return any("一" <= character <= "鿿" for character in text)
