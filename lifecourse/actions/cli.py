"""``lifecourse actions``: today's list of an owner or of a campus in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from lifecourse.errors import LifecourseError
from lifecourse.lifecycle.explain import listing, terminal
from lifecourse.lifecycle.history import READERS
from lifecourse.lifecycle.names import Language
from lifecourse.warehouse.connection import Role, warehouse

app = typer.Typer(no_args_is_help=True, help="The list of next actions, made from marts.")

#: What the lines of an action are called.
WORDS = {
    Language.EN: ("Actions of", "why", "do", "to the", "by", "also", "Not on the list", "nothing to do"),
    Language.ZH: ("行动名单", "原因", "做法", "对象", "截止", "其他", "未列入名单", "无"),
}
ADDRESSEES = {
    Language.EN: {"guardian": "guardian", "payer": "payer", "person": "learner"},
    Language.ZH: {"guardian": "监护人", "payer": "付款人", "person": "学员"},
}


@app.callback()
def group() -> None:
    """The list of next actions, made from marts."""


@app.command("list")
def show(
    owner: Annotated[
        str | None, typer.Option(help="Advisor, teacher or desk:CAMPUS", metavar="OWNER")
    ] = None,
    campus: Annotated[str | None, typer.Option(help="All owners of this campus", metavar="CAMPUS")] = None,
    lang: Annotated[Language, typer.Option(help="Language of the words")] = Language.EN,
    suppressed: Annotated[
        bool, typer.Option("--suppressed", help="Also what is not on the list, and why not")
    ] = False,
    role: Annotated[Role, typer.Option(help="Whom to read marts as: bi_reader or analyst")] = Role.BI_READER,
) -> None:
    """Show who is to be spoken to today, why, about what and by when.

    Customers are named by number: from a number to a phone leads a look-up with a purpose only. Read from marts.
    """
    from lifecourse.actions.reading import read_lists

    if role not in READERS:
        raise LifecourseError(f"{role} does not read marts", "--role", "bi_reader or analyst")
    if (owner is None) == (campus is None):
        raise LifecourseError(
            "whose list?", "lifecourse actions list", "say --owner OWNER or --campus CAMPUS"
        )
    lists = read_lists(warehouse(), owner, campus, lang, role)
    title, why, do, to, by, also, left_out, nothing = WORDS[lang]
    console = terminal()
    console.print(Text(f"{title} {lists.list_on}", "bold"))
    before = ""
    for each in lists.actions:
        if each.owner_id != before:
            console.print(Text(f"\n{each.owner_id}", "bold"))
            before = each.owner_id
        console.print(
            Text(f"{each.place:>3}. {each.subject}  {each.trigger}", "bold"),
            Text(f"{by} {each.due_on}", "dim"),
            overflow="fold",
        )
        addressee = ADDRESSEES[lang][each.addressee]
        for name, value in (
            (why, each.why),
            (do, f"{each.offer} ({each.channel}, {to} {addressee}): {each.do}"),
            (also, each.others),
        ):
            if value:
                console.print(Text(f"     {name}: {value}"), overflow="fold")
    if not lists.actions:
        console.print(nothing)
    if suppressed:
        console.print()
        listing(
            console,
            left_out,
            ("customer", "owner", "trigger", "reason"),
            [(each.subject, each.owner_id, each.trigger, each.because) for each in lists.suppressed],
        )
