"""Airflow's home folder: its configuration, written anew from the settings before every start.

``<home>/airflow`` holds ``airflow.cfg`` and the login (both readable by the owner only, they hold secrets),
and where DAGs must not start by the clock a cluster policy. Logs are in ``<home>/logs/airflow``.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lifecourse.orchestration.settings import orchestration_settings
from lifecourse.secrets import secret
from lifecourse.settings import settings

#: Name of the account on the web page; its password is the secret ``airflow_login``.
LOGIN = "admin"

#: Nobody outside learns that we run: Airflow and what it starts send no usage data.
QUIET = {
    "SCARF_ANALYTICS": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}

_CLOCKLESS_POLICY = '''"""Written by lifecourse: DAGs do not start by the clock here.

The institution's days are simulated or read from files and are not today's, so that last night's run would ask
for a day it has not lived. Runs are triggered with a partition key; assets still start build_marts.
"""

from airflow.sdk import CronPartitionTimetable, CronTriggerTimetable, PartitionedAtRuntime
from airflow.timetables.simple import NullTimetable


def dag_policy(dag):
    if isinstance(dag.timetable, CronPartitionTimetable):
        dag.timetable = PartitionedAtRuntime()
    elif isinstance(dag.timetable, CronTriggerTimetable):
        dag.timetable = NullTimetable()
'''


@dataclass(frozen=True)
class AirflowHome:
    """A prepared Airflow home and the address of its web page."""

    path: Path
    logs: Path
    host: str
    port: int
    url: str

    @property
    def login(self) -> tuple[str, str]:
        """Name and password for the web page."""
        return LOGIN, secret("airflow_login")

    def environment(self) -> dict[str, str]:
        """The environment of every Airflow process: ours, without anybody's other Airflow settings."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW_", "_AIRFLOW_")) and name != "PYTHONPATH"
        }
        return (
            inherited
            | QUIET
            | {
                "AIRFLOW_HOME": str(self.path),
                "AIRFLOW_CONFIG": str(self.path / "airflow.cfg"),
                # Tasks import lifecourse from the checkout, whether or not it is installed; the policy is beside it.
                "PYTHONPATH": os.pathsep.join((str(settings().project), str(self.path / "config"))),
                "PYTHONUNBUFFERED": "1",
            }
        )


def prepare(port: int | None = None) -> AirflowHome:
    """Writes Airflow's home from the settings; the same settings give the same files.

    `port` None takes the one of the settings, or a free one where that is in use.
    """
    from lifecourse.warehouse.connection import warehouse

    chosen = orchestration_settings()
    path = settings().home / "airflow"
    logs = settings().home / "logs" / "airflow"
    for folder in (path, logs):
        folder.mkdir(parents=True, exist_ok=True)
    host = chosen.airflow_host
    port = port or free_port(host, chosen.airflow_port, avoid={8793, 8794})
    reachable = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    home = AirflowHome(path, logs, host, port, chosen.airflow_url or f"http://{reachable}:{port}")
    metadata = warehouse().url("airflow", database="airflow", driver="postgresql+psycopg2")
    _write(path / "airflow.cfg", _render(configuration(home, metadata)))
    _write(path / "login.json", json.dumps({LOGIN: secret("airflow_login")}) + "\n")
    policy = path / "config" / "airflow_local_settings.py"
    if chosen.airflow_clock:
        policy.unlink(missing_ok=True)
    else:
        policy.parent.mkdir(exist_ok=True)
        _write(policy, _CLOCKLESS_POLICY)
    return home


def existing() -> AirflowHome | None:
    """The home that was prepared last, as it was; None if there is none."""
    path = settings().home / "airflow"
    written = configparser.ConfigParser()
    if not written.read(path / "airflow.cfg", encoding="utf-8"):
        return None
    api = written["api"]
    return AirflowHome(
        path, settings().home / "logs" / "airflow", api["host"], int(api["port"]), api["base_url"]
    )


def configuration(home: AirflowHome, metadata_url: str) -> dict[str, dict[str, str]]:
    """Airflow's options by section, with only what differs from its defaults and why."""
    log_port = free_port("127.0.0.1", 8793, avoid={home.port})
    trigger_log_port = free_port("127.0.0.1", 8794, avoid={home.port, log_port})
    return {
        "core": {
            "dags_folder": str(settings().dags_dir),
            "load_examples": "False",
            "executor": "LocalExecutor",
            # The default starts 32 workers of 150 MB each.
            "parallelism": str(orchestration_settings().airflow_workers),
            # Workers start with what tasks import already there (see `warm`).
            "mp_start_method": "forkserver",
            "mp_forkserver_preload": "lifecourse.orchestration.warm",
            "default_timezone": settings().timezone,
            "dags_are_paused_at_creation": "False",
            "fernet_key": _fernet_key(),
            "simple_auth_manager_users": f"{LOGIN}:admin",
            "simple_auth_manager_passwords_file": str(home.path / "login.json"),
            "execution_api_server_url": f"{orchestration_settings().airflow_api_url or home.url}/execution/",
            "hostname_callable": "socket.gethostname",
            "lazy_load_plugins": "True",
            "min_serialized_dag_update_interval": "5",
        },
        "database": {
            "sql_alchemy_conn": metadata_url,
            # Airflow would take asyncpg; psycopg 3 speaks both ways and is there already.
            "sql_alchemy_conn_async": metadata_url.replace("+psycopg2:", "+psycopg:"),
            # The embedded server has few connections to spare.
            "sql_alchemy_pool_size": "3",
            "sql_alchemy_max_overflow": "5",
            "sql_alchemy_pool_pre_ping": "True",
        },
        "api": {
            "host": home.host,
            "port": str(home.port),
            "base_url": home.url,
            "workers": "1",
            "secret_key": secret("airflow_api_key"),
            "expose_config": "False",
            "expose_stacktrace": "False",
            "instance_name": "Lifecourse",
        },
        "api_auth": {"jwt_secret": secret("airflow_jwt")},
        "logging": {
            "base_log_folder": str(home.logs),
            "dag_processor_child_process_log_directory": str(home.logs / "dag_processor"),
            "worker_log_server_port": str(log_port),
            "trigger_log_server_port": str(trigger_log_port),
            "colored_console_log": "False",
            # httpx logs whole addresses, which may hold a token; Great Expectations logs every step it takes.
            "namespace_levels": "httpx=WARNING httpcore=WARNING great_expectations=WARNING",
            # Nobody but the owner reads logs.
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
        },
        "scheduler": {
            "catchup_by_default": "False",
            # A worker or a whole scheduler that was killed is noticed within a minute, not five.
            "task_instance_heartbeat_timeout": "60",
            "task_instance_heartbeat_sec": "10",
            "orphaned_tasks_check_interval": "30",
            "parsing_cleanup_interval": "30",
        },
        "dag_processor": {
            "parsing_processes": "1",
            # Six small files that change with a release: no need to parse them twice a minute.
            "min_file_process_interval": "60",
            "refresh_interval": "60",
            "dag_bundle_storage_path": str(home.path / "bundles"),
        },
        "workers": {
            # A busy machine answers slowly; that is no reason to fail a task.
            "execution_api_timeout": "30",
            "execution_api_retries": "8",
            "max_failed_heartbeats": "6",
        },
        "metrics": {"statsd_on": "False", "otel_on": "False"},
        "traces": {"otel_on": "False"},
    }


def free_port(host: str, wanted: int, avoid: Collection[int] = ()) -> int:
    """The wanted port if nobody listens on it, else one the system gives."""
    for candidate in (wanted, 0, 0, 0, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            port = int(probe.getsockname()[1])
        if port not in avoid or port == wanted:
            return port
    raise OSError(f"no free port on {host}")


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(secret("airflow_fernet").encode()).digest()).decode()


def _render(sections: dict[str, dict[str, str]]) -> str:
    lines = ["# Written by lifecourse before every start of Airflow: change the settings, not this file."]
    for section, options in sections.items():
        lines.append(f"\n[{section}]")
        # Airflow interpolates: a percent sign (as in an escaped password) stands twice.
        lines += [f"{name} = {value.replace('%', '%%')}" for name, value in options.items()]
    text = "\n".join(lines) + "\n"
    configparser.ConfigParser().read_string(text)
    return text


def _write(path: Path, text: str) -> None:
    """Whole or not at all: containers that share the folder write the same files at the same time."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
