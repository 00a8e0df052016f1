"""``lifecourse models ...``: models fitted to the customer base, whose parameters builds score with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    no_args_is_help=True, help="Models of lifetime value and of risk: fit them, and see what they are worth."
)
console = Console()


@app.command("fit")
def fit() -> None:
    """Fit the models of lifetime value and of risk to the published build; the next build scores with them."""
    from lifecourse.customer_base.fitting import NotEnough
    from lifecourse.customer_base.fitting import fit as fit_models
    from lifecourse.risk.fitting import fit as fit_risk

    fit_risk()
    _print_risk()
    try:
        fitted = fit_models()
    except NotEnough as error:
        console.print(f"Lifetime value: {error}")
        return
    table = Table("model", "as of", "payers", "parameters")
    for each in fitted:
        values = dict(each.parameters)
        payers = int(values.pop("payers"))
        table.add_row(
            each.model,
            str(each.fitted_as_of),
            f"{payers:,}",
            ", ".join(f"{name} {value:,.4g}" for name, value in values.items()),
        )
    console.print(table)


@app.command("status")
def status() -> None:
    """Print what the next build scores with, when it was fitted, and how models of risk compare with the rule."""
    from lifecourse.warehouse.connection import Role, warehouse

    is_fitted = _print_risk()

    with warehouse().connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            """
            select model, fitted_as_of, string_agg(parameter || ' ' || round(value::numeric, 4), ', ' order by parameter)
            from meta.model_parameter as fitted
            where fitted_as_of = (select max(fitted_as_of) from meta.model_parameter where model = fitted.model)
            group by model, fitted_as_of
            order by model
            """
        ).fetchall()
    if not rows:
        if not is_fitted:
            console.print("No model has been fitted. `lifecourse models fit` does it.")
        return
    table = Table("model", "as of", "parameters")
    for model, fitted_as_of, parameters in rows:
        table.add_row(model, str(fitted_as_of), parameters)
    console.print(table)


@app.command("card")
def card(
    data: Annotated[
        Path,
        typer.Option(
            help="Folder with the files of OULAD, the whole data set.", file_okay=False, exists=True
        ),
    ],
) -> None:
    """Prove the models of risk on real students (OULAD), and write docs/model_card.md with its picture."""
    from lifecourse.risk.card import PAGE, PICTURE, measure, page, picture

    results = measure(data)
    PAGE.write_text(page(results), encoding="utf-8")
    PICTURE.write_text(picture(results), encoding="utf-8")
    console.print(f"{PAGE} and {PICTURE}: {len(results)} models proven")


def _print_risk() -> bool:
    """The latest fits of the models of risk beside the rule; whether there are any."""
    from lifecourse.warehouse.connection import Role, warehouse

    with warehouse().connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            """
            select target, fitted_as_of, scorer, verdict, measures
            from meta.risk_model as fitted
            where fitted_as_of = (select max(fitted_as_of) from meta.risk_model where target = fitted.target)
            order by target
            """
        ).fetchall()
    table = Table("target", "as of", "candidate", "verdict", "rows (cases)", "AUC", "top tenth", "Brier")
    for target, fitted_as_of, scorer, verdict, measures in rows:
        beside = [
            f"{measures[name]:.3f} (rule {measures[f'rule_{name}']:.3f})" if name in measures else ""
            for name in ("auc", "precision_top_tenth", "brier")
        ]
        counts = f"{measures['proven_rows']:,} ({measures['proven_cases']:,})"
        table.add_row(target, str(fitted_as_of), scorer, verdict, counts, *beside)
    if rows:
        console.print(table)
    return bool(rows)
