"""Settings of the scheduler and of alerts; see `lifecourse.settings` for where things are."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class OrchestrationSettings(BaseSettings):
    """Every setting, with the environment variable ``LIFECOURSE_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="LIFECOURSE_", frozen=True, env_ignore_empty=True)

    airflow_host: str = Field("127.0.0.1", description="Address the web page listens on")
    airflow_port: int = Field(
        8080, ge=1024, le=65535, description="Port of the web page; a free one is taken if it is in use"
    )
    airflow_url: str | None = Field(
        None, description="Address under which people reach the web page, where it is another one"
    )
    airflow_api_url: str | None = Field(
        None, description="Address under which tasks reach the api-server, where people use another one"
    )
    airflow_workers: int = Field(3, ge=1, le=32, description="Tasks that run at once")
    airflow_clock: bool = Field(
        True,
        description="Start DAGs by the clock. False: only when triggered, for an institution that is "
        "simulated or read from files and whose days are not today's",
    )

    marts_max_age_hours: float = Field(
        30, gt=0, description="Hours after the end of the published business day until marts are too old"
    )

    alert_webhook_url: str | None = Field(None, description="Where alerts are posted; may hold a token")
    alert_webhook_format: Literal["plain", "slack", "wecom", "dingtalk", "feishu"] = Field(
        "plain", description="Body of the webhook: plain is {subject, text} and the facts as JSON"
    )
    alert_mail_to: str | None = Field(None, description="Addresses that get alerts, separated by commas")
    alert_mail_from: str = Field("lifecourse@localhost", description="Sender of alerts")
    smtp_host: str = Field("localhost", description="Mail server")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port; 465 speaks TLS from the start")
    smtp_user: str | None = Field(
        None, description="Login at the mail server; its password is the secret smtp_password"
    )
    smtp_starttls: bool = Field(False, description="Switch to TLS after connecting")

    @field_validator("airflow_port")
    @classmethod
    def _not_the_log_server(cls, port: int) -> int:
        if port in (8793, 8794):
            raise ValueError(
                "Airflow serves task logs on 8793 and 8794; choose another port for the web page"
            )
        return port


@cache
def orchestration_settings() -> OrchestrationSettings:
    """The settings of this process; `cache_clear()` reads the environment again."""
    return OrchestrationSettings()  # type: ignore[call-arg]
