"""Tells people by webhook and mail that a task has failed for good.

Airflow calls `task_failed` after the last retry only. An alert leaves the house, so it names what failed and
where to look, and repeats the text of a `LifecourseError` (which never holds a row's value) and of no other.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from lifecourse.errors import LifecourseError
from lifecourse.orchestration.settings import OrchestrationSettings, orchestration_settings
from lifecourse.secrets import secret

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """What is sent: names, numbers and texts of ours, nothing out of a row."""

    dag: str
    task: str
    run: str
    business_day: str
    tries: int
    error: str
    log_url: str

    @property
    def subject(self) -> str:
        return f"[lifecourse] {self.dag}.{self.task} has failed for {self.business_day}"

    @property
    def text(self) -> str:
        return "\n".join(
            (
                self.subject,
                f"Error: {self.error}",
                f"Tries: {self.tries}   Run: {self.run}",
                f"Log: {self.log_url}",
                f"What to do when it is red: documentation of {self.dag} on the same page.",
            )
        )


def task_failed(context: Mapping[str, Any]) -> None:
    """Sends an alert about the failed task of an Airflow context, by every way that is set up.

    Never raises: a webhook that is down must not hide the failure itself, which stays red in Airflow.
    """
    send(alert_of(context))


def alert_of(context: Mapping[str, Any]) -> Alert:
    """The alert for an Airflow context (the scheduler's, where a worker was killed, has no exception)."""
    task_instance, run = context.get("ti") or context.get("task_instance"), context.get("dag_run")
    error = context.get("exception")
    if isinstance(error, LifecourseError):
        said = str(error)
    elif isinstance(error, BaseException):
        said = f"{type(error).__name__} (its text may hold data and is only in the log)"
    else:
        said = "the task was killed or ran too long; the log tells how far it came"
    return Alert(
        dag=str(getattr(task_instance, "dag_id", "unknown")),
        task=str(getattr(task_instance, "task_id", "unknown")),
        run=str(getattr(task_instance, "run_id", "unknown")),
        business_day=str(getattr(run, "partition_key", None) or "no business day"),
        tries=int(getattr(task_instance, "try_number", 0) or 0),
        error=said,
        log_url=str(getattr(task_instance, "log_url", "")),
    )


def send(alert: Alert) -> list[str]:
    """Sends it by webhook and by mail, whichever are set up; the ways that worked."""
    chosen = orchestration_settings()
    ways: dict[str, Callable[[Alert, OrchestrationSettings], None]] = {}
    if chosen.alert_webhook_url:
        ways["webhook"] = _post
    if chosen.alert_mail_to:
        ways["mail"] = _mail
    if not ways:
        log.warning("nobody is told: set LIFECOURSE_ALERT_WEBHOOK_URL or LIFECOURSE_ALERT_MAIL_TO")
    worked = []
    for way, deliver in ways.items():
        try:
            deliver(alert, chosen)
        except Exception as error:
            # The text of such an error often quotes the address, and the address may hold a token.
            log.error("the alert could not be sent by %s: %s", way, type(error).__name__)
        else:
            worked.append(way)
            log.info("alert sent by %s", way)
    return worked


def webhook_body(alert: Alert, form: str) -> dict[str, Any]:
    """The JSON that the receiver of a webhook wants."""
    if form == "slack":
        return {"text": alert.text}
    if form in ("wecom", "dingtalk"):
        return {"msgtype": "text", "text": {"content": alert.text}}
    if form == "feishu":
        return {"msg_type": "text", "content": {"text": alert.text}}
    return {"subject": alert.subject, "text": alert.text, **asdict(alert)}


_patiently = retry(
    retry=retry_if_exception_type((httpx.HTTPError, OSError, smtplib.SMTPException)),
    stop=stop_after_attempt(3),
    wait=wait_exponential(multiplier=0.5, max=5),
    reraise=True,
)


class AlertRefused(Exception):
    """The receiver took the message and said no."""


@_patiently
def _post(alert: Alert, chosen: OrchestrationSettings) -> None:
    assert chosen.alert_webhook_url
    body = webhook_body(alert, chosen.alert_webhook_format)
    answer = httpx.post(chosen.alert_webhook_url, json=body, timeout=10)
    answer.raise_for_status()
    if chosen.alert_webhook_format in ("wecom", "dingtalk", "feishu"):
        # These answer 200 also when they refuse, with the reason in a code.
        said = answer.json()
        if said.get("errcode", said.get("code", 0)) != 0:
            raise AlertRefused


@_patiently
def _mail(alert: Alert, chosen: OrchestrationSettings) -> None:
    message = EmailMessage()
    message["Subject"] = alert.subject
    message["From"] = chosen.alert_mail_from
    message["To"] = chosen.alert_mail_to
    message.set_content(alert.text)
    kind = smtplib.SMTP_SSL if chosen.smtp_port == 465 else smtplib.SMTP
    with kind(chosen.smtp_host, chosen.smtp_port, timeout=10) as server:
        if chosen.smtp_starttls:
            server.starttls()
        if chosen.smtp_user:
            server.login(chosen.smtp_user, secret("smtp_password"))
        server.send_message(message)
