"""Loads the DAG files as Airflow's dag-processor does, in a process of its own and in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DAGS = PROJECT / "dags"

# Airflow reads its configuration when it is first imported: nobody's own Airflow may be found then.
for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[name]
_home = tempfile.mkdtemp(prefix="lifecourse-test-airflow-")
os.environ |= {
    "AIRFLOW_HOME": _home,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home}/unused.db",
    "SCARF_ANALYTICS": "false",
}


@pytest.fixture(scope="session")
def dag_bag() -> Any:
    """Every file of ``dags/``, loaded by Airflow itself."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS)


@pytest.fixture(scope="session")
def dag_files() -> list[Path]:
    return sorted(DAGS.glob("*.py"))


_PARSE = """
import json, os, sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

# What Airflow loads lazily is not the files' doing: all they may use is loaded beforehand.
from airflow.sdk import Asset, CronPartitionTimetable, CronTriggerTimetable, Param, PartitionedAssetTimetable
from airflow.sdk import dag, task

project, files = Path(sys.argv[1]), sys.argv[2:]
warm = Path(os.environ["AIRFLOW_HOME"]) / "warm.py"
warm.write_text("from airflow.sdk import dag, task\\n@dag()\\ndef warm():\\n    task(print)()\\nwarm()\\n")
DagBag(warm)
touched = []
interpreter = (sys.prefix, sys.base_prefix, "/usr/share/zoneinfo", os.environ["AIRFLOW_HOME"])


def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not path.startswith(interpreter) or path.startswith(str(project / "lifecourse")):
            touched.append(path)
    elif event.startswith(("socket.connect", "subprocess.", "os.system", "sqlite3.")):
        touched.append(event)


sys.addaudithook(watch)
found = {}
for file in files:
    touched.clear()
    bag = DagBag(file)
    allowed = {file, "/dev/null"}
    found[Path(file).stem] = {
        "dags": list(bag.dags),
        "touched": sorted({path for path in touched if path not in allowed and "__pycache__" not in path}),
        "ours": sorted(name for name in sys.modules if name.split(".")[0] == "lifecourse"),
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def parsed(dag_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Per file, read in a fresh process: its DAGs, what else it touched, which modules of ours it loaded."""
    home = tmp_path_factory.mktemp("airflow")
    done = subprocess.run(
        [sys.executable, "-c", _PARSE, str(PROJECT), *map(str, dag_files)],
        env=os.environ | {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found
