"""Files that hold something of a person: bills that the channels print, and pages that the warehouse wrote."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from lifecourse.settings import settings
from lifecourse.sources.files import directory_of
from lifecourse.sources.spec import load_systems

#: Where the warehouse's own commands write pages about one customer.
WRITTEN = ("reports", "exports")


def redact_bills(accounts: Iterable[str]) -> dict[str, str]:
    """Writes stars over the accounts in the bill files that are read; hash of each file before -> after.

    Every other byte stays: amounts, numbers and the length of the file.
    """
    wanted = [account for account in accounts if len(account) >= 6]
    changed: dict[str, str] = {}
    if not wanted:
        return changed
    for system in load_systems().values():
        if system.kind != "files":
            continue
        folder = directory_of(system)
        for table in system.tables:
            if table.format not in ("wechat_bill", "alipay_bill") or not table.pattern:
                continue
            for path in sorted(folder.glob(table.pattern)):
                before = path.read_bytes()
                after = _redacted(before, wanted)
                if after != before:
                    _replace(path, after)
                    changed[_hash(before)] = _hash(after)
    return changed


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _redacted(content: bytes, accounts: list[str]) -> bytes:
    if content[:4] == b"PK\x03\x04":
        return _redacted_zip(content, accounts)
    for account in accounts:
        for encoding in ("utf-8", "gb18030"):
            text = account.encode(encoding)
            content = content.replace(text, b"*" * len(text))
    return content


def _redacted_zip(content: bytes, accounts: list[str]) -> bytes:
    out = io.BytesIO()
    is_changed = False
    # Alipay's member names are GBK without the flag that says so, and say which member is the summary. They are written
    # with the flag for UTF-8, which every reader knows.
    with (
        zipfile.ZipFile(io.BytesIO(content), metadata_encoding="gb18030") as old,
        zipfile.ZipFile(out, "w") as new,
    ):
        for member in old.infolist():
            before = old.read(member)
            after = _redacted(before, accounts)
            is_changed = is_changed or after != before
            new.writestr(member, after)
    return out.getvalue() if is_changed else content


def _replace(path: Path, content: bytes) -> None:
    """In place of the old file, whole or not at all, with the old one's times and rights."""
    there = path.stat()
    new = path.with_name(path.name + ".redacted")
    new.write_bytes(content)
    new.chmod(there.st_mode & 0o777)
    os.utime(new, (there.st_atime, there.st_mtime))
    new.replace(path)


def remove_written_files(customers: Iterable[str]) -> list[str]:
    """Removes pages and copies that carry the customer in their name, below the home folder and the checkout."""
    removed = []
    for folder in (root / name for root in (settings().home, settings().project) for name in WRITTEN):
        for customer in customers:
            for path in sorted(folder.rglob(f"*{customer}*"), reverse=True) if folder.exists() else ():
                if path.is_dir():
                    for inner in sorted(path.rglob("*"), reverse=True):
                        inner.rmdir() if inner.is_dir() else inner.unlink()
                    path.rmdir()
                else:
                    path.unlink()
                removed.append(path.name)
    return removed
