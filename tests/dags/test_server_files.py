"""docker-compose.yml and Dockerfile: no Docker engine is at hand, so their form and every step are checked here.

The form by Docker's own parser of compose files and a parser of Dockerfiles; the steps by looking each one up among
what the tests run for real (`test_scheduler.py` starts the components, `scripts/install` makes our environment).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from lifecourse.orchestration.processes import SERVER_COMPONENTS
from lifecourse.orchestration.settings import OrchestrationSettings
from lifecourse.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
DOCKERFILE = PROJECT / "Dockerfile"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services with anchors resolved, variables as they stand."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return found


def compose_parser() -> Any:
    return pytest.importorskip("compose.config.config", reason="docker-compose is not installed")


def load(text: str, folder: Path) -> Any:
    """The file as Docker's own parser understands it."""
    config = compose_parser()
    environment = pytest.importorskip("compose.config.environment").Environment(
        {"POSTGRES_PASSWORD": "chosen", "PATH": ""}
    )
    (folder / "docker-compose.yml").write_text(text, encoding="utf-8")
    (folder / ".env.sources").touch()
    (folder / "Dockerfile").touch()
    return config.load(config.find(str(folder), ["docker-compose.yml"], environment))


def test_compose_is_understood_by_docker_s_own_parser(tmp_path: Path) -> None:
    understood = load(COMPOSE.read_text(encoding="utf-8"), tmp_path)
    assert {service["name"] for service in understood.services} == {"postgres", "setup", *SERVER_COMPONENTS}
    by_name = {service["name"]: service for service in understood.services}
    assert by_name["setup"]["environment"]["LIFECOURSE_SECRET_WAREHOUSE_ADMIN"] == "chosen"


def test_that_parser_would_notice_a_mistake(tmp_path: Path) -> None:
    compose_parser()
    from compose.config.errors import ConfigurationError

    text = COMPOSE.read_text(encoding="utf-8")
    with pytest.raises(ConfigurationError, match="restrat"):
        load(text.replace("restart: unless-stopped", "restrat: unless-stopped"), tmp_path)


def test_without_a_chosen_password_nothing_starts(tmp_path: Path) -> None:
    config = compose_parser()
    from compose.config.environment import Environment
    from compose.config.errors import ConfigurationError

    (tmp_path / "docker-compose.yml").write_text(COMPOSE.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / ".env.sources").touch()
    with pytest.raises(ConfigurationError, match="choose the administrator's password"):
        config.load(config.find(str(tmp_path), ["docker-compose.yml"], Environment({"PATH": ""})))


def test_a_service_per_component(services: dict[str, Any]) -> None:
    for component in SERVER_COMPONENTS:
        assert services[component]["command"] == [
            "python",
            "-m",
            "lifecourse.cli",
            "airflow",
            "run",
            component,
        ]
        assert services[component]["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}
    assert services["postgres"]["image"] == "postgres:18"


def test_every_command_exists(services: dict[str, Any]) -> None:
    from lifecourse.cli import app

    commands = [service["command"] for service in services.values() if "command" in service]
    commands += [services["api-server"]["healthcheck"]["test"][1:]]
    assert len(commands) == 6
    for command in commands:
        assert command[:3] == ["python", "-m", "lifecourse.cli"]
        shown = CliRunner().invoke(app, [*command[3:], "--help"])
        assert shown.exit_code == 0, command
        # A group that is asked for an unknown command shows its own help.
        assert "COMMAND [ARGS]" not in shown.output, command


def test_every_variable_is_a_setting(services: dict[str, Any]) -> None:
    known = {
        f"LIFECOURSE_{name.upper()}" for name in (*Settings.model_fields, *OrchestrationSettings.model_fields)
    }
    for name, service in services.items():
        for variable in service["environment"]:
            assert variable in known or variable.startswith(("POSTGRES_", "LIFECOURSE_SECRET_")), (
                name,
                variable,
            )


def test_only_setup_knows_the_administrator(services: dict[str, Any]) -> None:
    """What runs at night logs in with roles that may do what it needs and no more."""
    for name, service in services.items():
        knows = "POSTGRES_PASSWORD" in str(service["environment"])
        assert knows == (name in ("postgres", "setup")), name
        url = service["environment"].get("LIFECOURSE_WAREHOUSE_URL", "")
        assert not re.search(r"://[^/@]*:[^/@]*@", url), "no password in the URL"


def test_the_web_page_listens_on_this_machine_only(services: dict[str, Any]) -> None:
    assert services["api-server"]["ports"] == ["127.0.0.1:8080:8080"]
    assert not any(service.get("ports") for name, service in services.items() if name != "api-server")


INSTRUCTIONS = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "CMD", "COMMENT"}


def dockerfile_steps() -> list[dict[str, str]]:
    parser = pytest.importorskip("dockerfile_parse", reason="dockerfile-parse is not installed")
    steps: list[dict[str, str]] = parser.DockerfileParser(str(DOCKERFILE)).structure
    return steps


def test_dockerfile_is_understood() -> None:
    steps = [step for step in dockerfile_steps() if step["instruction"] != "COMMENT"]
    assert {step["instruction"] for step in steps} <= INSTRUCTIONS
    assert steps[0]["instruction"] == "FROM"
    assert steps[-1] == steps[-1] | {
        "instruction": "CMD",
        "value": '["python", "-m", "lifecourse.cli", "--help"]',
    }


def test_dockerfile_runs_what_we_run_and_not_as_root() -> None:
    steps = dockerfile_steps()
    runs = [step["value"] for step in steps if step["instruction"] == "RUN"]
    assert [run for run in runs if not run.startswith("useradd")] == ["scripts/install"]
    assert [step["value"] for step in steps if step["instruction"] == "USER"] == ["lifecourse"]


def test_what_is_copied_exists() -> None:
    for step in dockerfile_steps():
        if step["instruction"] == "COPY":
            for source in step["value"].split()[:-1]:
                assert (PROJECT / source).exists(), source
