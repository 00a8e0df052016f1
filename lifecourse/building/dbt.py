"""dbt in this process: the project parsed once and kept, invocations journalled, results without values."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

log = logging.getLogger(__name__)

#: Files that decide what a build writes. A change of any of them makes the next build a full one.
CODE_FOLDERS = ("models", "macros", "seeds")
CODE_FILES = ("dbt_project.yml",)
#: The rules are data of their own: their hash says that history is rebuilt under a new version.
RULES_FILE = "lifecycle_rules.csv"
SIGNALS_FILE = "risk_signal.csv"
#: Two cores are the smallest machine; the third thread keeps them busy while one waits for the catalogue.
THREADS = 3

#: Of every session of dbt. Compiling statements costs more time than it saves with statements of seconds.
SESSION = ("jit=off", "work_mem=64MB", "client_min_messages=error")
#: A full build joins whole tables. Where the planner takes the result of a window for one row, a nested loop
#: would run for hours; in an incremental build, nested loops over a few customers are what makes it fast.
SESSION_OF_A_FULL_BUILD = ("enable_nestloop=off",)

#: Variables that the graph depends on; the others are read when a model runs.
GRAPH_VARIABLES = ("purchase_event", "target_schema", "canonical_schema", "risk_signals")


@dataclass(frozen=True)
class NodeOutcome:
    """How one seed, model or test ended. `message` holds no row's value."""

    unique_id: str
    name: str
    kind: str
    status: str
    seconds: float
    failing_rows: int | None = None
    message: str = ""

    @property
    def is_good(self) -> bool:
        return self.status in ("success", "pass", "warn", "no-op")


def code_hash(project_dir: Path | None = None) -> str:
    """Hash of everything that decides what a build writes, the rules left out."""
    folder = project_dir or settings().dbt_project_dir
    digest = hashlib.sha256(settings().timezone.encode())
    for path in _code_files(folder):
        if path.name != RULES_FILE:
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def rules_hash(project_dir: Path | None = None) -> str:
    """Hash of the lifecycle rules."""
    digest = hashlib.sha256()
    for path in _code_files(project_dir or settings().dbt_project_dir):
        if path.name == RULES_FILE:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _code_files(folder: Path) -> list[Path]:
    found = [folder / name for name in CODE_FILES]
    for name in CODE_FOLDERS:
        found += [path for path in (folder / name).rglob("*") if path.suffix in (".sql", ".yml", ".csv")]
    return sorted(path for path in found if path.is_file())


def risk_signal_codes(project_dir: Path | None = None) -> list[str]:
    """The signals in the seed: the graph is drawn from them, before a seed could be read in the database."""
    folder = project_dir or settings().dbt_project_dir
    for path in sorted((folder / "seeds").rglob(SIGNALS_FILE)):
        with path.open(encoding="utf-8", newline="") as file:
            return [row["signal_code"] for row in csv.DictReader(file)]
    return []


class Dbt:
    """The project against one warehouse. Not for two threads at once: dbt keeps state in the process."""

    def __init__(
        self, target: Warehouse, project_dir: Path | None = None, work_dir: Path | None = None
    ) -> None:
        self.target = target
        self.project_dir = project_dir or settings().dbt_project_dir
        self.work_dir = work_dir or settings().home / "dbt"
        self._manifests: dict[str, Manifest] = {}

    def manifest(self, variables: Mapping[str, Any]) -> Manifest:
        """The parsed project, from memory or from disk where nothing it depends on has changed."""
        key = self._graph_key(variables)
        if key not in self._manifests:
            self._manifests[key] = self._read_manifest(key) or self._parse(key, variables)
        return self._manifests[key]

    def run(
        self, command: str, names: Sequence[str], variables: Mapping[str, Any], journal: Path | None = None
    ) -> list[NodeOutcome]:
        """Run `seed`, `run` or `test` on the named nodes; their outcomes, those that were skipped too.

        `journal`: a file that gets a line for every node as it ends, so that a process that comes after this
        one was killed knows what is done. Raises `LifecourseError` if dbt could not run at all.
        """
        if not names:
            return []
        arguments = [command, "--select", *names]
        if variables.get("build_kind") != "incremental" and command in ("run", "seed"):
            arguments.append("--full-refresh")
        watcher = _Watcher(journal)
        manifest = self.manifest(variables)
        result = self._invoke(arguments, variables, manifest, watcher.see)
        outcomes = [_outcome(each) for each in getattr(result.result, "results", None) or []]
        if not result.success and not any(not each.is_good for each in outcomes):
            raise LifecourseError(
                f"dbt {command} did not run: {without_values(str(result.exception or 'no reason given'))}",
                str(self.project_dir),
                "run `dbt parse` in dbt_project for the place",
            )
        return outcomes

    def compiled(self, names: Sequence[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """The SQL of the named models with everything filled in, in the order in which they depend on each other.

        Nothing is run. Raises `LifecourseError` where dbt cannot compile them.
        """
        result = self._invoke(
            ["compile", "--select", *names],
            variables,
            self.manifest(variables),
            lambda event: None,
        )
        # Their tests are compiled along with them.
        compiled = [each.node for each in getattr(result.result, "results", None) or []]
        nodes = [node for node in compiled if node.resource_type == "model"]
        if not result.success or {node.name for node in nodes} != set(names):
            raise LifecourseError(
                f"dbt compile did not run: {without_values(str(result.exception or 'no reason given'))}",
                str(self.project_dir),
                "run `dbt parse` in dbt_project for the place",
            )
        return {node.name: node.compiled_code for node in nodes}

    def _invoke(
        self, arguments: list[str], variables: Mapping[str, Any], manifest: Any, callback: Any
    ) -> Any:
        from dbt.cli.main import dbtRunner

        with self._environment(is_whole=variables.get("build_kind") != "incremental"):
            return dbtRunner(manifest=manifest, callbacks=[callback] if callback else []).invoke(
                [
                    "--no-send-anonymous-usage-stats",
                    "--no-use-colors",
                    "--no-version-check",
                    "--log-level",
                    "none",
                    "--log-level-file",
                    "none",
                    *arguments,
                    "--vars",
                    json.dumps(dict(variables)),
                    "--project-dir",
                    str(self.project_dir),
                    "--profiles-dir",
                    str(self.project_dir / "profiles"),
                    "--target-path",
                    str(self.work_dir / "target"),
                    "--log-path",
                    str(self.work_dir / "logs"),
                ]
            )

    @contextmanager
    def _environment(self, is_whole: bool) -> Iterator[None]:
        """What profiles.yml asks for, in the environment for as long as dbt runs."""
        options = [f"TimeZone={settings().timezone}", *SESSION]
        if is_whole:
            options += SESSION_OF_A_FULL_BUILD
        values = {
            "LIFECOURSE_DBT_HOST": self.target.host,
            "LIFECOURSE_DBT_PORT": str(self.target.port),
            "LIFECOURSE_DBT_USER": self.target.login(Role.TRANSFORMER),
            "LIFECOURSE_DBT_DATABASE": self.target.name_of(),
            "LIFECOURSE_DBT_THREADS": os.environ.get("LIFECOURSE_DBT_THREADS", str(THREADS)),
            "DBT_ENV_SECRET_WAREHOUSE_PASSWORD": self.target.password(Role.TRANSFORMER),
            "DO_NOT_TRACK": "1",
            # Read by libpq.
            "PGOPTIONS": " ".join(f"-c {option}" for option in options),
            "PGAPPNAME": "lifecourse transformer",
        }
        if "sslmode" in self.target.parameters:
            values["PGSSLMODE"] = self.target.parameters["sslmode"]
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def _graph_key(self, variables: Mapping[str, Any]) -> str:
        from dbt.version import __version__

        graph = {name: variables.get(name) for name in GRAPH_VARIABLES}
        tests = hashlib.sha256()
        for path in sorted((self.project_dir / "tests").rglob("*.sql")):
            tests.update(path.read_bytes())
        parts = [
            __version__,
            code_hash(self.project_dir),
            rules_hash(self.project_dir),
            tests.hexdigest(),
            json.dumps(graph, sort_keys=True),
            # Relations carry the database's name.
            self.target.name_of(),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]

    def _read_manifest(self, key: str) -> Manifest | None:
        from dbt.contracts.graph.manifest import Manifest
        from dbt.parser.manifest import extended_mashumuro_decoder

        path = self.work_dir / "manifests" / f"{key}.msgpack"
        try:
            manifest: Manifest = Manifest.from_msgpack(path.read_bytes(), decoder=extended_mashumuro_decoder)
        except FileNotFoundError:
            return None
        except Exception as error:
            log.info("the kept manifest cannot be read (%s); parsing", type(error).__name__)
            return None
        manifest.build_flat_graph()
        return manifest

    def _parse(self, key: str, variables: Mapping[str, Any]) -> Manifest:
        from dbt.parser.manifest import extended_mashumaro_encoder

        started = time.monotonic()
        result = self._invoke(["--no-partial-parse", "parse"], variables, None, None)
        if not result.success:
            raise LifecourseError(
                f"the dbt project cannot be parsed: {result.exception}",
                str(self.project_dir),
                "mend the file named in the message",
            )
        manifest: Manifest = result.result
        folder = self.work_dir / "manifests"
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("*.msgpack"), key=lambda path: path.stat().st_mtime)[:-8]:
            old.unlink(missing_ok=True)
        temporary = folder / f"{key}.{os.getpid()}.tmp"
        temporary.write_bytes(manifest.to_msgpack(extended_mashumaro_encoder))
        temporary.replace(folder / f"{key}.msgpack")
        log.info("parsed the dbt project in %.1f s", time.monotonic() - started)
        return manifest


class _Watcher:
    """Writes the journal and the log as nodes end."""

    def __init__(self, journal: Path | None) -> None:
        self.journal = journal
        self.lock = threading.Lock()

    def see(self, event: Any) -> None:
        if event.info.name != "NodeFinished":
            return
        result = event.data.run_result
        node = event.data.node_info
        status = str(result.status)
        good = status in ("success", "pass", "warn", "no-op")
        log.log(
            logging.INFO if good else logging.ERROR,
            "%s %s: %s in %.2f s",
            node.resource_type,
            node.node_name,
            status,
            result.execution_time,
        )
        if good and self.journal:
            with self.lock, self.journal.open("a", encoding="utf-8") as file:
                file.write(node.unique_id + "\n")


def _outcome(result: Any) -> NodeOutcome:
    return NodeOutcome(
        unique_id=result.node.unique_id,
        name=result.node.name,
        kind=str(result.node.resource_type),
        status=str(result.status),
        seconds=float(result.execution_time),
        failing_rows=result.failures,
        message=without_values(result.message or ""),
    )


def without_values(message: str) -> str:
    """A message of dbt or of the database without what it quotes of a row."""
    kept = []
    for line in message.splitlines():
        line = line.strip()
        if re.match(r"(DETAIL|CONTEXT|LINE \d+|HINT|compiled code at|\^)", line) or not line:
            continue
        # "invalid input syntax for type date: \"...\"", "Key (...)=(...)": the value comes after the colon or in
        # the second brackets.
        line = re.sub(r'(: )"[^"]*"', r"\1...", line)
        line = re.sub(r"=\([^)]*\)", "=(...)", line)
        kept.append(line)
    return " ".join(kept)[:1000]
