"""``lifecourse explain CUSTOMER``: the timeline of one customer in the terminal, and why it is so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lifecourse.errors import LifecourseError
from lifecourse.lifecycle.bars import Axis, Stretch
from lifecourse.lifecycle.history import READERS, History, Signal, Span, Transition, read_history
from lifecourse.lifecycle.names import Language, Names, names
from lifecourse.warehouse.connection import Role, warehouse

#: Letter and colour of a stage: the letter is what is left where there is no colour.
STAGES = {
    "prospect": ("p", "black on bright_black"),
    "onboarding": ("o", "black on cyan"),
    "growth": ("g", "black on green"),
    "mature": ("m", "black on blue"),
    "danger": ("!", "bold white on red"),
    "terminated": ("t", "black on yellow"),
    "dormant": ("d", "black on white"),
}
UNKNOWN = ("?", "reverse")
SIGNAL_MARK, SIGNAL_COLOUR = "=", {"voice": "red", "behaviour": "magenta", "renewal": "yellow"}

#: Below this width a table is written as lines, one under the other.
WIDE = 96
#: What a pipe gets, which has no width.
PIPE_WIDTH = 120
LABEL_WIDTH = 20
NARROW_LABEL_WIDTH = 10


def explain(
    customer: Annotated[str, typer.Argument(help="Customer id, e.g. C000000042", metavar="CUSTOMER")],
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], help="What held on this day, and why", metavar="DAY"),
    ] = None,
    lang: Annotated[
        Language, typer.Option(help="Language of the names of stages, signals and reasons")
    ] = Language.EN,
    role: Annotated[Role, typer.Option(help="Whom to read marts as: bi_reader or analyst")] = Role.BI_READER,
) -> None:
    """Show why a customer stands where the customer stands.

    Stages as bars over time, the base stage beneath danger, risk signals under them, then every signal with what
    opened it and every change with its reason, the fact behind it and the version of the rules. With --on: what
    held on that day. Read from marts; no personal data is there.
    """
    if role not in READERS:
        raise LifecourseError(
            f"{role} is no reader of marts", "--role", f"use {' or '.join(map(str, READERS))}"
        )
    console = terminal()
    history = read_history(warehouse(), customer, role)
    page = Page(console, history, names(lang))
    page.day(on.date()) if on else page.whole()


def terminal() -> Console:
    """The console that commands print on: as wide as the terminal, without colour where none is wanted."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console.width = PIPE_WIDTH
    return console


@dataclass(frozen=True)
class Page:
    """A history on a console."""

    console: Console
    history: History
    names: Names

    # What is printed -------------------------------------------------------------------------------------

    def whole(self) -> None:
        """The timeline from the first contact to the published day, and the lists behind it."""
        history, now = self.history, self.history.span_on(self.history.as_of)
        self._say(
            Text.assemble(
                (history.customer_id, "bold"),
                f", campus {history.campus_id or 'none'}, as of {history.as_of} (build {history.build_id})",
            )
        )
        self._say(f"Now: {self._standing(now)}, since {now.valid_from}.")
        self._say("")
        self._bars(None)
        self._say("")
        self._list(
            "Stages",
            ("first day", "last day", "days", "stage", "base stage", "run", "kind"),
            (self._span_row(each) for each in history.spans),
        )
        self._list(
            "Risk signals",
            SIGNAL_COLUMNS,
            (self._signal_row(each, history.as_of) for each in history.signals),
        )
        self._list(
            "Changes",
            ("day", "layer", "from", "to", "reason", "cause", "rules"),
            (self._transition_row(each) for each in history.transitions),
        )

    def day(self, day: date) -> None:
        """What held on the day, and why."""
        history, span = self.history, self.history.span_on(day)
        self._say(
            Text.assemble(
                (history.customer_id, "bold"), " on ", (str(day), "bold"), f", as of {history.as_of}"
            )
        )
        self._say("")
        self._bars(day)
        self._say("")
        began = history.run_began_on(day)
        run = (
            f"run {span.run_no}, day {(day - began).days} from its first purchase on {began}" if began else ""
        )
        if not run:
            run = f"in no run; {span.run_no} before" if span.run_no else "before the first run"
        is_returning = span.became_returning_on is not None and span.became_returning_on <= day
        facts = [
            ("stage", self._standing(span)),
            ("since", f"{span.valid_from} ({_days((day - span.valid_from).days)} before)"),
            ("run", run),
            ("kind", "returning" if is_returning else span.customer_kind),
            ("next change", self._next_change(span, day)),
            ("rules", span.rule_version),
        ]
        for label, value in facts:
            self._say(Text.assemble((f"{label:<12} ", "bold"), value))
        self._say("")
        for layer in ("base", "danger"):
            led = history.led_to(day, layer)
            if led and (layer == "base" or led.to_code == "danger"):
                self._why(led)
        self._list(
            "Open on the day", SIGNAL_COLUMNS, (self._signal_row(s, day) for s in history.signals_on(day))
        )

    def _why(self, led: Transition) -> None:
        was = self._name("lifecycle_stage", led.from_code) if led.layer == "base" else led.from_code
        to = self._name("lifecycle_stage", led.to_code)
        said = f"{to} since {led.transition_on}" + (f", before: {was}" if led.from_code else "")
        self._say(Text.assemble(("why          ", "bold"), said))
        for line in (
            f"reason: {self._reason(led)}",
            f"cause:  {self._cause(led)}",
            f"rules:  {led.rule_version}",
        ):
            self._say("             " + line)

    def _cause(self, led: Transition) -> str:
        """The fact behind a change; of a signal, what it is and what opened it, though it may be closed by now."""
        opened = next((each for each in self.history.signals if each.risk_signal_id == led.cause_id), None)
        if led.cause_table != "fct_risk_signal" or opened is None:
            return f"{led.cause_table} {led.cause_id}"
        return f"{self._name('risk_signal', opened.signal_code)} ({_evidence(opened)}), {led.cause_table} {led.cause_id}"

    def _next_change(self, span: Span, day: date) -> str:
        if span.valid_to is None:
            return f"none by {self.history.as_of}, the published day"
        to = self.history.span_on(span.valid_to)
        return f"{span.valid_to}, in {_days((span.valid_to - day).days)}: {self._standing(to)}"

    # Bars ------------------------------------------------------------------------------------------------

    def _bars(self, day: date | None) -> None:
        history = self.history
        room = LABEL_WIDTH if self.console.width >= 60 else NARROW_LABEL_WIDTH
        axis = Axis.over(history.first_contact_on, history.as_of, max(10, self.console.width - room - 2))
        self._line(room, "", Text(axis.dates()))
        self._line(room, "", Text(axis.ticks(), "dim"))
        if day is not None:
            self._line(room, "", Text(" " * axis.cell(day) + "v", "bold"))
        for label, codes in (
            ("stage", [each.stage_code for each in history.spans]),
            ("base stage", [each.base_stage for each in history.spans]),
        ):
            stretches = [
                Stretch(each.valid_from, each.valid_to, STAGES.get(code, UNKNOWN)[0])
                for each, code in zip(history.spans, codes, strict=True)
            ]
            self._line(room, label, _coloured(axis.bar(stretches)))
        by_priority = sorted(
            {(each.priority, each.signal_code, each.signal_class) for each in history.signals}
        )
        for _, code, signal_class in by_priority:
            stretches = [
                Stretch(each.opened_on, each.closed_on, SIGNAL_MARK)
                for each in history.signals
                if each.signal_code == code
            ]
            bar = Text(axis.bar(stretches, "."), SIGNAL_COLOUR.get(signal_class, ""))
            self._line(room, " " + self._name("risk_signal", code), bar)
        seen = {each.stage_code for each in history.spans} | {each.base_stage for each in history.spans}
        legend = Text()
        for code, (mark, colour) in STAGES.items():
            if code in seen:
                legend.append("  " if legend else "").append(mark, colour)
                legend.append(" " + self._name("lifecycle_stage", code))
        if history.signals:
            legend.append(f"  {SIGNAL_MARK} signal open")
        self._say(legend)

    def _line(self, room: int, label: str, bar: Text) -> None:
        if cell_len(label) > room:
            label = set_cell_size(label, room - 1) + "~"
        self._say(Text(set_cell_size(label, room) + "  ").append_text(bar), wrap=False)

    # Rows ------------------------------------------------------------------------------------------------

    def _span_row(self, span: Span) -> tuple[str, ...]:
        end = span.valid_to or self.history.as_of
        days = (end - span.valid_from).days + (span.valid_to is None)
        return (
            str(span.valid_from),
            _last(self.history, span.valid_to),
            str(days),
            self._name("lifecycle_stage", span.stage_code),
            self._name("lifecycle_stage", span.base_stage),
            str(span.run_no),
            span.customer_kind,
        )

    def _signal_row(self, signal: Signal, day: date) -> tuple[str, ...]:
        end = signal.closed_on or self.history.as_of
        is_open = signal.holds(day)
        days = (day - signal.opened_on).days + 1 if is_open else (end - signal.opened_on).days
        return (
            self._name("risk_signal", signal.signal_code),
            signal.signal_class,
            str(signal.opened_on),
            _last(self.history, signal.closed_on),
            str(days),
            _evidence(signal),
            signal.rule_version,
        )

    def _transition_row(self, change: Transition) -> tuple[str, ...]:
        return (
            str(change.transition_on),
            change.layer,
            self._name("lifecycle_stage", change.from_code) if change.from_code else "",
            self._name("lifecycle_stage", change.to_code),
            self._reason(change),
            f"{change.cause_table} {change.cause_id}",
            change.rule_version,
        )

    def _reason(self, change: Transition) -> str:
        said = self._name("lifecycle_reason", change.reason_code)
        if change.churn_reason:
            how = "inferred" if change.is_churn_reason_inferred else "told"
            why = self._name("churn_reason", change.churn_reason)
            said += f"; left because: {why} ({change.churn_reason_class}, {how})"
        return said

    def _standing(self, span: Span) -> str:
        stage = self._name("lifecycle_stage", span.stage_code)
        if span.stage_code == span.base_stage:
            return stage
        return f"{stage}, base stage {self._name('lifecycle_stage', span.base_stage)}"

    # Saying ----------------------------------------------------------------------------------------------

    def _name(self, kind: str, code: str | None) -> str:
        if code is None:
            return ""
        # The danger layer's codes are clear and danger; the latter is a stage's name, the former nobody's.
        return self.names.of(kind, code)

    def _say(self, what: str | Text, wrap: bool = True) -> None:
        self.console.print(
            what, markup=False, no_wrap=not wrap, crop=False, overflow="fold" if wrap else "ignore"
        )

    def _list(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        listing(self.console, title, columns, rows)


SIGNAL_COLUMNS = ("signal", "class", "first day", "last day", "days", "evidence", "rules")


def listing(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table where there is room, else one line per value."""
    listed = [[str(value) for value in row] for row in rows]
    if not listed:
        console.print(Text(f"{title}: none", "bold"))
        return
    console.print(Text(title, "bold"))
    if console.width >= WIDE:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for name in columns:
            is_short = name in ("cause", "evidence", "reason")
            table.add_column(name, overflow="fold", no_wrap=not is_short)
        for row in listed:
            table.add_row(*(Text(value) for value in row))
        console.print(table)
    else:
        for row in listed:
            console.print(Text("- " + " ".join(row[:1])), overflow="fold")
            for name, value in zip(columns[1:], row[1:], strict=True):
                if value:
                    console.print(Text(f"  {name}: {value}"), overflow="fold")
    console.print()


def _coloured(bar: str) -> Text:
    text = Text()
    colours = dict(STAGES.values())
    for mark in bar:
        text.append(mark, colours.get(mark, ""))
    return text


def _evidence(signal: Signal) -> str:
    return ", ".join(f"{key} {'-' if value is None else value}" for key, value in signal.evidence.items())


def _last(history: History, end: date | None) -> str:
    return str(history.day_before(end) or "open")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
