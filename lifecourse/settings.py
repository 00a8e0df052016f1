"""Where things are and how the institution counts its days. Read from the environment, never at import."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Every setting, with the environment variable ``LIFECOURSE_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="LIFECOURSE_", frozen=True)

    project: Path = Field(PROJECT, description="The checkout")
    home: Path = Field(PROJECT / ".lifecourse", description="State: database files, logs, secrets, Data Docs")
    warehouse_url: str | None = Field(
        None, description="Admin URL of a Postgres 15+ to use instead of the embedded one"
    )
    timezone: str = Field("Asia/Shanghai", description="The institution's time zone; a day is a day there")
    sources_dir: Path = Field(PROJECT / "sources", description="YAML files that describe the source systems")
    dbt_project_dir: Path = Field(PROJECT / "dbt_project", description="The dbt project")
    expectations_dir: Path = Field(PROJECT / "expectations", description="Great Expectations suites")
    dags_dir: Path = Field(PROJECT / "dags", description="Airflow DAGs")
    faults_file: Path | None = Field(None, description="Faults that the simulated institution plants")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except Exception as error:
            raise ValueError(
                f"LIFECOURSE_TIMEZONE={name!r} is no time zone; use a name such as Asia/Shanghai"
            ) from error
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


@cache
def settings() -> Settings:
    """The settings of this process; `settings.cache_clear()` reads the environment again."""
    return Settings()  # type: ignore[call-arg]
