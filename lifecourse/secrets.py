"""Passwords and keys: from the environment, else from a file that only the owner can read.

``LIFECOURSE_SECRET_<NAME>`` wins. Otherwise ``<home>/secrets.json`` (mode 0600) is used, and a secret
that is asked for the first time is made from the system's random source and kept there.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets as random_source
from pathlib import Path

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings


def secret(name: str) -> str:
    """The secret of that name (lower case, words joined by ``_``), made on first use."""
    from_environment = os.environ.get(f"LIFECOURSE_SECRET_{name.upper()}")
    if from_environment:
        return from_environment
    home = settings().home
    home.mkdir(parents=True, exist_ok=True)
    # One process at a time, or two that start together would each make a password of their own.
    with open(home / "secrets.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = home / "secrets.json"
        known = _read(path)
        if name not in known:
            known[name] = random_source.token_urlsafe(24)
            _write(path, known)
        return known[name]


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    if path.stat().st_mode & 0o077:
        raise LifecourseError("others can read the secrets", str(path), f"chmod 600 {path}")
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise LifecourseError(
            f"not valid JSON (line {error.lineno})",
            str(path),
            "restore it from your backup of the home folder",
        ) from None
    return {str(key): str(value) for key, value in loaded.items()}


def _write(path: Path, known: dict[str, str]) -> None:
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(known, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
