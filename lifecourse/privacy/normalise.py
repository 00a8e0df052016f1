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
        case "address":
            # One community is written with and without blanks.
            return re.sub(r"\s+", "", text).casefold(), bool(text)
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


def name_core(text: str) -> str:
    """What a name and the nicknames made of it share: of a Chinese name the last character, else the first word.

    王梓涵, 小涵, 阿涵 and 涵涵 share 涵; whoever compares must know which of them are nicknames (`is_nickname`).
    """
    spelling, _ = normalise("name", text)
    return spelling[-1:] if _is_chinese(spelling) else spelling.split(" ")[0]


def is_nickname(text: str) -> bool:
    """Whether a name has the form of a Chinese nickname: 小 or 阿 and one character, or one character twice."""
    spelling, _ = normalise("name", text)
    return (
        len(spelling) == 2 and _is_chinese(spelling) and (spelling[0] in "小阿" or spelling[0] == spelling[1])
    )


def swapped(text: str) -> str | None:
    """A birth date with day and month exchanged, or None where that is no other day."""
    day = birth_date(text)
    if day is None or day.day > 12 or day.day == day.month:
        return None
    return day.replace(month=day.day, day=day.month).isoformat()


def _phone(text: str) -> tuple[str, bool]:
    digits = re.sub(r"[\s()\-.]", "", text)
    digits = re.sub(r"^(\+86|0086)", "", digits)
    return digits, bool(_MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits))


def _is_chinese(text: str) -> bool:
    return any("一" <= character <= "鿿" for character in text)
