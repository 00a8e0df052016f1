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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecourse.building import nights, sessions, testing
from lifecourse.building.tables import relations
from lifecourse.building.unchanged import Memory
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

#: The tag of nodes that an invocation is asked to run.
ASKED_FOR = "asked_for_by_the_build"

#: Values that change with every build and stand in tests as they are: what stands for them in kept tests.
MARKS: dict[str, Any] = {
    "as_of": "0004-02-29",
    "build_id": "the-build-that-asks",
    "since_load_id": 900_000_000_000_000_001,
    "last_load_id": 900_000_000_000_000_002,
}
#: Manifests and compiled tests kept: one for each way to build, and those of the version before.
KEPT_FILES = 8

#: After a model's unique id, among what a night sends: its own SQL; what is sent where its table is small.
BODY_ALONE, SMALL = "#body", "#small"
SMALL_ROWS, SMALL_ROWS_OF_THE_SAME_DAY = 20_000, 1_000_000
#: Folders of models in which a table that reads a list of changed customers holds those customers only.
FOLDERS_OF_CHANGED = ("core", "lifecycle", "care")

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
        arguments = [command]
        if variables.get("build_kind") != "incremental" and command in ("run", "seed"):
            arguments.append("--full-refresh")
        watcher = _Watcher(journal)
        manifest = self.manifest(variables)
        with _selecting(manifest, names) as selection:
            result = self._invoke([*arguments, *selection], variables, manifest, watcher.see)
        outcomes = [_outcome(each) for each in getattr(result.result, "results", None) or []]
        if not result.success and not any(not each.is_good for each in outcomes):
            raise LifecourseError(
                f"dbt {command} did not run: {without_values(str(result.exception or 'no reason given'))}",
                str(self.project_dir),
                "run `dbt parse` in dbt_project for the place",
            )
        return outcomes

    def test(
        self, names: Sequence[str], variables: Mapping[str, Any], journal: Path | None = None
    ) -> list[NodeOutcome]:
        """Run the named data tests on a few sessions; their outcomes and the journal as of `run`."""
        if not names:
            return []
        wanted = set(names)
        tests = {
            key: node
            for key, node in self.manifest(variables).nodes.items()
            if node.resource_type == "test" and node.name in wanted and testing.is_plain(node)
        }
        others = sorted(wanted - {node.name for node in tests.values()})
        statements = self._compiled_tests(sorted(node.name for node in tests.values()), variables)
        watcher = _Watcher(journal)
        answers = testing.ask(
            [testing.question(tests[unique_id], body) for unique_id, body in statements.items()],
            lambda: self._session(variables),
            self._threads(),
            lambda answer: watcher.note([answer.unique_id] if answer.is_good else []),
        )
        outcomes = [
            NodeOutcome(
                each.unique_id, tests[each.unique_id].name, "test", each.status, each.seconds, each.failing_rows,
                each.message,
            )
            for each in answers
        ]  # fmt: skip
        return outcomes + self.run("test", others, variables, journal)

    def night(
        self, names: Sequence[str], variables: Mapping[str, Any], journal: Path | None = None
    ) -> list[NodeOutcome]:
        """Run the named models upon tables that stand, on a few sessions; their outcomes and the journal as of `run`.

        A model whose table is not there or that is written in another way, and what reads it, is left to dbt.
        """
        if not names:
            return []
        wanted = set(names)
        nodes: Mapping[str, Any] = self.manifest(variables).nodes
        models = {
            key: node for key, node in nodes.items() if node.resource_type == "model" and node.name in wanted
        }
        standing = self._standing(variables)
        written = self._night_statements(variables, standing)
        there = standing[variables["target_schema"]]
        memory = self._memory(written, variables)
        small = self._small_tables(variables)
        reads = {key: frozenset(node.depends_on.nodes) & models.keys() for key, node in models.items()}
        left = {key for key, node in models.items() if key not in written or node.alias not in there}
        while more := {key for key in models.keys() - left if reads[key] & left}:
            left |= more
        watcher = _Watcher(journal)
        steps = [
            nights.Step(
                key, model.alias, written.get(key + SMALL, written[key]) if model.alias in small else written[key],
                reads[key], model.config.materialized == "view",
            )
            for key, model in models.items()
            if key not in left
        ]  # fmt: skip
        with self._session(variables) as connection:
            memory.read(connection)
            memory.forget(connection, [models[key].alias for key in left])
        endings = nights.run(
            steps,
            lambda: self._session(variables),
            self._threads(),
            lambda ending: watcher.note([ending.unique_id] if ending.is_good else []),
            memory,
        )
        outcomes = [
            NodeOutcome(each.unique_id, models[each.unique_id].name, "model", each.status, each.seconds, None, each.message)
            for each in endings
        ]  # fmt: skip
        if not all(each.is_good for each in endings):
            return outcomes
        return outcomes + self.run(
            "run", [models[key].name for key in models if key in left], variables, journal
        )

    def _memory(self, written: Mapping[str, str], variables: Mapping[str, Any]) -> Memory:
        """What is to be known of the night before, for models with this SQL."""
        nodes: list[Any] = list(self.manifest(variables).nodes.values())
        canonical = variables["canonical_schema"]
        texts: dict[str, str] = {}
        views: set[str] = set()
        for node in nodes:
            if node.resource_type == "model" and node.config.materialized == "view":
                views.add(node.alias)
            if node.resource_type == "model" and "staging" in node.tags:
                # Made by full builds only; of what it reads, one canonical table as a rule, the name is all that counts.
                read = [key.rsplit(".", 1)[-1] for key in node.depends_on.nodes if key.startswith("source.")]
                texts[node.alias] = " ".join(
                    f'"{self.target.name_of()}"."{canonical}"."{table}"' for table in read
                )
            elif node.unique_id + BODY_ALONE in written:
                texts[node.alias] = written[node.unique_id + BODY_ALONE]
        seeds = frozenset(node.alias for node in nodes if node.resource_type == "seed")
        rests_on = {
            node.alias: tuple(node.config.meta["rests_on"])
            for node in nodes
            if node.resource_type == "model" and node.config.meta.get("rests_on")
        }
        return Memory(
            variables["build_id"],
            variables["target_schema"],
            canonical,
            texts,
            frozenset(views),
            seeds,
            rests_on,
        )

    def _small_tables(self, variables: Mapping[str, Any]) -> set[str]:
        """Tables of which a night exchanges the rows that differ: those with few rows, and on the day that is
        published already, on which little differs, all but the largest."""
        with self._session(variables) as connection:
            rows = connection.execute(
                """
                select relname from pg_class
                where relnamespace = to_regnamespace(%s) and relkind = 'r' and reltuples between 0 and
                    case when %s::date = (select max(as_of) from meta.build where status = 'published') then %s else %s end
                """,
                (variables["target_schema"], variables["as_of"], SMALL_ROWS_OF_THE_SAME_DAY, SMALL_ROWS),
            ).fetchall()
        return {name for (name,) in rows} - self._of_changed(variables)

    def _of_changed(self, variables: Mapping[str, Any]) -> set[str]:
        """Tables that hold the customers of this build and no others: nothing of the night before stays in them."""
        nodes: Mapping[str, Any] = self.manifest(variables).nodes
        found = {key for key, node in nodes.items() if node.name.startswith("changed_")}
        steps = {
            key: set(node.depends_on.nodes)
            for key, node in nodes.items()
            if node.resource_type == "model"
            and node.config.materialized == "table"
            and node.fqn[1] in FOLDERS_OF_CHANGED
            and not node.config.meta.get("public")
        }
        while more := {key for key, reads in steps.items() if key not in found and reads & found}:
            found |= more
        return {nodes[key].alias for key in found}

    def _night_statements(
        self, variables: Mapping[str, Any], standing: Mapping[str, set[str]]
    ) -> dict[str, str]:
        """What a night sends for each model that needs no dbt for it, by unique id, where those relations stand.

        Beside it the model's own SQL (unique id + BODY_ALONE), and what is sent where its table is small (+ SMALL).
        """
        nodes = self.manifest(variables).nodes
        models = [
            node.name
            for node in nodes.values()
            if node.resource_type == "model" and "staging" not in node.tags
        ]

        def compile_all(marked: Mapping[str, Any]) -> dict[str, str]:
            around = json.loads(self._compile_inline(f"{{{{ night_statements('{nights.BODY}') }}}}", marked))
            bodies = self._compile(models, marked)
            found = {}
            for unique_id, each in around.items():
                if unique_id in bodies:
                    body = bodies[unique_id]
                    found[unique_id] = nights.statements(each["ways"], each["relation"], body)
                    found[unique_id + BODY_ALONE] = body
                    if each["small"]:
                        found[unique_id + SMALL] = nights.statements([each["small"]], each["relation"], body)
            return found

        # Which rows tests read is no concern of the models. What they ask the catalogue for is: a table of the night
        # before, a view that the loader makes where it knows versions.
        there = [f"{schema}.{name}" for schema, names in standing.items() for name in names]
        return self._kept("models", [*models, *there], {**variables, "test_scope": "all"}, compile_all)

    def _standing(self, variables: Mapping[str, Any]) -> dict[str, set[str]]:
        """Schema -> tables and views that a night may build upon: those of the build, and what it reads."""
        with self._session(variables) as connection:
            return {
                schema: relations(connection, schema)
                for schema in (variables["target_schema"], variables["canonical_schema"])
            }

    def _compiled_tests(self, names: Sequence[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """SQL of the named tests by unique id, as dbt compiles it."""
        return self._kept("tests", names, variables, lambda marked: self._compile(names, marked))

    def _kept(
        self,
        kind: str,
        names: Sequence[str],
        variables: Mapping[str, Any],
        compile_all: Callable[[Mapping[str, Any]], dict[str, str]],
    ) -> dict[str, str]:
        """SQL by unique id, compiled once.

        Compiling it takes longer than running it, and from one build to the next only a few values change. So it is
        compiled with marks in place of these, kept beside the manifest, and the marks filled in.
        """
        marked = {**variables, **{name: mark for name, mark in MARKS.items() if name in variables}}
        path = self.work_dir / "manifests" / f"{self._key_of(names, marked)}.{kind}.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            kept = {"database": self.target.name_of(), "sql": compile_all(marked)}
            _write_whole(path, json.dumps(kept).encode())
        values = {str(mark): str(variables[name]) for name, mark in MARKS.items() if name in variables}
        values[_quoted(kept["database"])] = _quoted(self.target.name_of())
        return {unique_id: _filled(body, values) for unique_id, body in kept["sql"].items()}

    def _key_of(self, names: Sequence[str], variables: Mapping[str, Any]) -> str:
        asked = json.dumps([sorted(names), dict(variables)], sort_keys=True, default=str)
        return hashlib.sha256(f"{self._graph_key(variables)}\n{asked}".encode()).hexdigest()[:24]

    def _compile(self, names: Sequence[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """The SQL of the named nodes by unique id, in the order in which they depend on each other; nothing is run."""
        manifest = self.manifest(variables)
        with _selecting(manifest, names) as selection:
            result = self._invoke(["compile", *selection], variables, manifest, None)
        nodes = [each.node for each in getattr(result.result, "results", None) or []]
        wanted = set(names)
        found = {node.unique_id: node.compiled_code for node in nodes if node.name in wanted}
        if not result.success or {node.name for node in nodes if node.unique_id in found} != wanted:
            raise self._not_compiled(result)
        return found

    def _compile_inline(self, text: str, variables: Mapping[str, Any]) -> str:
        """What dbt makes of a text of macros."""
        manifest = self.manifest(variables)
        before = set(manifest.nodes)
        result = self._invoke(["compile", "--inline", text], variables, manifest, None)
        for added in manifest.nodes.keys() - before:
            # dbt leaves the text in the graph.
            del manifest.nodes[added]
        if not result.success:
            raise self._not_compiled(result)
        compiled: str = result.result.results[0].node.compiled_code
        return compiled

    def _not_compiled(self, result: Any) -> LifecourseError:
        return LifecourseError(
            f"dbt compile did not run: {without_values(str(result.exception or 'no reason given'))}",
            str(self.project_dir),
            "run `dbt parse` in dbt_project for the place",
        )

    def _session(self, variables: Mapping[str, Any]) -> testing.Connection:
        connection = self.target.connect(Role.TRANSFORMER, autocommit=True)
        for option in _session_options(variables):
            connection.execute("select set_config(%s, %s, false)", option.split("=", 1))
        return connection

    def compiled(self, names: Sequence[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """The SQL of the named models with everything filled in, in the order in which they depend on each other.

        Nothing is run. Raises `LifecourseError` where dbt cannot compile them.
        """
        nodes = self.manifest(variables).nodes
        return {nodes[unique_id].name: body for unique_id, body in self._compile(names, variables).items()}

    def _invoke(
        self, arguments: list[str], variables: Mapping[str, Any], manifest: Any, callback: Any
    ) -> Any:
        from dbt.cli.main import dbtRunner

        with self._environment(variables), sessions.kept():
            return dbtRunner(manifest=manifest, callbacks=[callback] if callback else []).invoke(
                [
                    "--no-send-anonymous-usage-stats",
                    "--no-use-colors",
                    "--no-version-check",
                    # The manifest is kept by us, and results are handed over in the process.
                    "--no-write-json",
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
    def _environment(self, variables: Mapping[str, Any]) -> Iterator[None]:
        """What profiles.yml asks for, in the environment for as long as dbt runs."""
        options = [f"TimeZone={settings().timezone}", *_session_options(variables)]
        values = {
            "LIFECOURSE_DBT_HOST": self.target.host,
            "LIFECOURSE_DBT_PORT": str(self.target.port),
            "LIFECOURSE_DBT_USER": self.target.login(Role.TRANSFORMER),
            "LIFECOURSE_DBT_DATABASE": self.target.name_of(),
            "LIFECOURSE_DBT_THREADS": str(self._threads()),
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

    @staticmethod
    def _threads() -> int:
        return int(os.environ.get("LIFECOURSE_DBT_THREADS", THREADS))

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
        _move(manifest, self.target.name_of())
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
        _write_whole(
            self.work_dir / "manifests" / f"{key}.msgpack", manifest.to_msgpack(extended_mashumaro_encoder)
        )
        log.info("parsed the dbt project in %.1f s", time.monotonic() - started)
        return manifest


def _write_whole(path: Path, content: bytes) -> None:
    """A file that another process sees whole or not at all; of its kind the latest ones are kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "".join(path.suffixes)
    for old in sorted(path.parent.glob(f"*{kind}"), key=lambda each: each.stat().st_mtime)[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _move(manifest: Manifest, database: str) -> None:
    """Relations carry the name of the database: that of another warehouse is exchanged for ours."""
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        relation = getattr(node, "relation_name", None)
        if relation:
            node.relation_name = relation.replace(_quoted(node.database or ""), _quoted(database), 1)
        node.database = database


def _quoted(name: str) -> str:
    return f'"{name}"'


def _filled(body: str, values: Mapping[str, str]) -> str:
    for mark, value in values.items():
        body = body.replace(mark, value)
    return body


@contextmanager
def _selecting(manifest: Manifest, names: Sequence[str]) -> Iterator[list[str]]:
    """The arguments that select the nodes of these names and nothing that hangs on them.

    dbt compares every name that it is given with every node: seconds, where hundreds are named. A tag for as long
    as this lasts is found in one go. What is not the name of a node (a path, an exclusion) is handed on as it is.
    """
    wanted = set(names)
    chosen = [node for node in manifest.nodes.values() if node.name in wanted]
    if {node.name for node in chosen} != wanted:
        yield ["--select", *names]
        return
    for node in chosen:
        node.tags = [*node.tags, ASKED_FOR]
    try:
        yield ["--select", f"tag:{ASKED_FOR}", "--indirect-selection", "empty"]
    finally:
        for node in chosen:
            node.tags = [tag for tag in node.tags if tag != ASKED_FOR]


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
        if good:
            self.note([node.unique_id])

    def note(self, done: Iterable[str]) -> None:
        """Lines of the journal for nodes that ended well."""
        lines = "".join(f"{unique_id}\n" for unique_id in done)
        if lines and self.journal:
            with self.lock, self.journal.open("a", encoding="utf-8") as file:
                file.write(lines)


def _session_options(variables: Mapping[str, Any]) -> tuple[str, ...]:
    is_whole = variables.get("build_kind") != "incremental"
    return (*SESSION, *SESSION_OF_A_FULL_BUILD) if is_whole else SESSION


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
