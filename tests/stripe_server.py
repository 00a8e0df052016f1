"""A small server that answers like Stripe's API, from lists of objects."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "rk_test_for_the_tests"
#: The object that a field of another names, by the letters before its id.
_KINDS = {"ch": "charges", "re": "refunds"}


@dataclass
class Stripe:
    """Objects by the last part of their path, and the requests that came."""

    objects: dict[str, list[dict[str, Any]]]
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    url: str = ""

    def page(self, name: str, asked: dict[str, list[str]]) -> dict[str, Any]:
        """One page as Stripe gives it: newest first, after `starting_after`, at most `limit`."""
        rows = sorted(self.objects[name], key=lambda row: -row["created"])
        if "created[gt]" in asked:
            rows = [row for row in rows if row["created"] > int(asked["created[gt]"][0])]
        if "created[lte]" in asked:
            rows = [row for row in rows if row["created"] <= int(asked["created[lte]"][0])]
        if "starting_after" in asked:
            ids = [row["id"] for row in rows]
            rows = rows[ids.index(asked["starting_after"][0]) + 1 :]
        limit = int(asked["limit"][0])
        assert 1 <= limit <= 100
        expanded = [self.expanded(row, asked.get("expand[]", [])) for row in rows[:limit]]
        return {"object": "list", "url": f"/v1/{name}", "has_more": len(rows) > limit, "data": expanded}

    def expanded(self, row: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
        row = dict(row)
        for each in wanted:
            name = each.removeprefix("data.")
            kind = _KINDS.get(str(row[name]).split("_")[0])
            # What is not here (a payout) stays an object with an id, as of Stripe.
            found = [o for o in self.objects[kind] if o["id"] == row[name]] if kind else [{"id": row[name]}]
            row[name] = found[0]
        return row


@contextmanager
def running(objects: dict[str, list[dict[str, Any]]]) -> Iterator[Stripe]:
    """The server on a free loopback port."""
    stripe = Stripe(objects)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            name = url.path.removeprefix("/v1/")
            asked = parse_qs(url.query)
            if self.headers["Authorization"] != f"Bearer {KEY}":
                self.answer(401, {"error": {"message": "Invalid API Key provided"}})
            elif name not in stripe.objects:
                self.answer(404, {"error": {"message": "Unrecognized request URL"}})
            else:
                stripe.asked.append(asked | {"path": [name]})
                self.answer(200, stripe.page(name, asked))

        def answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stripe.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stripe
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
