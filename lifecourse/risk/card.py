"""docs/model_card.md and its picture: the models of risk proven on the Open University's students.

`lifecourse models card --data DIR` measures everything anew and writes both; nothing on the page was typed by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lifecourse.risk import oulad
from lifecourse.risk.measures import Bin, Quality, quality
from lifecourse.risk.proving import Proof, prove
from lifecourse.settings import PROJECT

PAGE = PROJECT / "docs" / "model_card.md"
PICTURE = PROJECT / "docs" / "images" / "model_card.svg"

OUTCOMES = {"withdraws": "withdraws in the next four weeks", "fails": "fails, of those who stay"}
#: As in the seed risk_rules.
LEAST_CASES, LEAST_AUC_GAIN = 20, 0.02
#: A module with fewer cases (or others) has no AUC worth telling.
LEAST_CASES_OF_MODULE = 10
WIDTH, PANEL, GAP, LEFT, TOP = 860, 230, 45, 52, 62


@dataclass(frozen=True)
class ModuleResult:
    """A module on the presentations of the proof; without quality where there are too few cases."""

    module: str
    rows: int
    cases: int
    model: Quality | None
    rule: Quality | None


@dataclass(frozen=True)
class Result:
    """An outcome from the end of a week."""

    outcome: str
    week: int
    proof: Proof
    modules: tuple[ModuleResult, ...]
    #: The features that weigh most, with their part in all contributions.
    heaviest: tuple[tuple[str, float], ...]


def measure(folder: Path, least_cases: int = LEAST_CASES) -> list[Result]:
    """Fit and prove a model for each outcome and week on the files of a folder."""
    files = oulad.Files.read(folder, oulad.last_day_of(max(oulad.WEEKS)))
    found = {week: oulad.rows(files, week) for week in oulad.WEEKS}
    return [_result(outcome, week, found[week], least_cases) for outcome in OUTCOMES for week in oulad.WEEKS]


def _result(outcome: str, week: int, found: pd.DataFrame, least_cases: int) -> Result:
    sample, known = oulad.sample(found, outcome)
    proof = prove(sample, least_cases, LEAST_AUC_GAIN)
    modules: list[ModuleResult] = []
    last = sample.split == 2
    values, case = sample.part(2)
    probability = proof.scorer.probability(values) if proof.scorer else None
    rule = np.where(sample.danger[last], proof.rule_rate_on or 0.0, proof.rule_rate_off or 0.0)
    of = known.code_module[last].to_numpy()
    for module in sorted(set(of)):
        here = of == module
        cases = int(case[here].sum())
        is_enough = probability is not None and min(cases, here.sum() - cases) >= LEAST_CASES_OF_MODULE
        modules.append(
            ModuleResult(
                module,
                int(here.sum()),
                cases,
                quality(probability[here], case[here]) if is_enough and probability is not None else None,
                quality(rule[here], case[here]) if is_enough else None,
            )
        )
    weights = sorted({(band.weight_share, band.feature) for band in proof.drift}, reverse=True)
    return Result(outcome, week, proof, tuple(modules), tuple((name, share) for share, name in weights[:4]))


def page(results: Sequence[Result]) -> str:
    """The model card in Markdown."""
    lines = [
        "# Model card: risk",
        "",
        "Written by `lifecourse models card --data DIR` from the whole Open University Learning Analytics Dataset (Kuzilek,"
        " Hlosta, Zdrahal, Scientific Data 4:170171, 2017, CC BY 4.0); every figure below was measured by it. What the marts"
        " of an institution use is fitted to that institution's own customers by the same code, and stands in"
        " `mart_risk_model`.",
        "",
        "| | |",
        "|---|---|",
        "| question | from the end of week 4, 8 and 12: who withdraws in the next four weeks; who of those who stay fails |",
        "| for | a tutor's list of whom to call. Not for admission, marks, prices, or any decision without a person |",
        "| candidates | logistic regression; gradient boosting of trees with one split (scikit-learn). The better one on the"
        " calibration rows is proven |",
        "| split | by presentation: fitted to 2013B and 2013J, calibrated (Platt) on 2014B, proven on 2014J |",
        "| the plain rule | danger is on: inactive, usage drop or homework slump, as the lifecycle defines them |",
        "| features | clicks and study days of 4 weeks, of the 4 before and in all, also beside the mean of the presentation;"
        " homework on time, missing, late; marks of work handed in 14 days ago or earlier (files do not say when it was"
        " marked); days since registration, previous attempts, credits |",
        "| left out on purpose | gender, age, region, deprivation, disability, schooling: a list of whom to help must not rest"
        " on who somebody is |",
        "| known by the day | nothing after the last day of the week is read; a test changes the future and sees no change |",
        "| who is not in it | whoever had withdrawn by then. 93 withdrew on a day nobody knows: left out of the first question |",
        "",
        "## On presentations that no model had seen (2014J)",
        "",
        "| | week | model | rows | cases | AUC | rule | gain, 90 % interval | top tenth | rule | Brier | rule |",
        "|---|--:|---|--:|--:|--:|--:|---|--:|--:|--:|--:|",
    ]
    for each in results:
        m = each.proof.measures
        if each.proof.scorer is None:
            lines.append(
                f"| {OUTCOMES[each.outcome]} | {each.week} | too few cases | {m['proven_rows']:,} | {m['proven_cases']:,} | | | | | | | |"
            )
            continue
        lines.append(
            f"| {OUTCOMES[each.outcome]} | {each.week} | {each.proof.scorer.kind} | {m['proven_rows']:,} |"
            f" {m['proven_cases']:,} | {m['auc']:.3f} | {m['rule_auc']:.3f} |"
            f" {m['auc_gain_low']:.3f} to {m['auc_gain_high']:.3f} | {m['precision_top_tenth']:.3f} |"
            f" {m['rule_precision_top_tenth']:.3f} | {m['brier']:.4f} | {m['rule_brier']:.4f} |"
        )
    used = sum(each.proof.beats_rule for each in results)
    lines += [
        "",
        f"{used} of {len(results)} beat the rule and would be used. *Top tenth*: share of cases among the tenth with the"
        " highest probability. The interval of the gain in AUC is over students, drawn with replacement.",
        "",
        "![Predicted and observed](images/model_card.svg)",
        "",
        "A point is a tenth of the rows; on the line, what was predicted came true. Over all rows, "
        + _calibration(results)
        + ". Spring students calibrate what autumn students are told: where the two differ, so do rates.",
        "",
        "The other candidate:",
        "",
        "| | week | candidate | AUC | top tenth | Brier |",
        "|---|--:|---|--:|--:|--:|",
    ]
    for each in results:
        for kind, q in each.proof.measures.get("candidates", {}).items():
            if each.proof.scorer and kind != each.proof.scorer.kind:
                lines.append(
                    f"| {OUTCOMES[each.outcome]} | {each.week} | {kind} | {q['auc']:.3f} |"
                    f" {q['precision_top_tenth']:.3f} | {q['brier']:.4f} |"
                )
    lines += ["", "What weighs most (part of all contributions):", ""]
    lines += [
        f"- {OUTCOMES[each.outcome]}, week {each.week}: "
        + ", ".join(f"`{name}` {share:.0%}" for name, share in each.heaviest)
        for each in results
        if each.heaviest
    ]
    for outcome, words in OUTCOMES.items():
        lines += ["", f"## By module and week: {words}", "", *_by_module(results, outcome)]
    lines += [
        "",
        _worse(results),
        "",
        "CCC is in no presentation of 2013: the models were never fitted to it. Modules with fewer than"
        f" {LEAST_CASES_OF_MODULE} cases, or others, have no figures.",
        "",
        "## Limits",
        "",
        "- Adults at a distance university, 2013 and 2014. Nothing here says how children at a training centre behave.",
        "- Of those who withdraw in four weeks, few: even the top tenth is mostly people who stay. A call costs them nothing;"
        " a letter that says otherwise would.",
        "- Who fails is told of those who stay; whoever withdraws later is in neither group.",
        "- A withdrawal is dated by the office. Some stopped studying weeks before: part of what is predicted has happened.",
        "- Rows of one student in two modules are not independent; the interval draws students, not rows.",
    ]
    return "\n".join(lines) + "\n"


def _calibration(results: Sequence[Result]) -> str:
    """Mean predicted and observed of each model that was fitted, in words."""
    told = []
    for each in results:
        points = [Bin(**point) for point in each.proof.measures.get("reliability", [])]
        rows = sum(point.rows for point in points)
        if rows:
            predicted = sum(point.rows * point.predicted for point in points) / rows
            observed = sum(point.rows * point.observed for point in points) / rows
            what = "leaving" if each.outcome == "withdraws" else "failing"
            told.append(f"{what} week {each.week} {predicted:.1%} predicted, {observed:.1%} observed")
    return "; ".join(told) or "nothing was fitted"


def _worse(results: Sequence[Result]) -> str:
    """Where the rule would have been better than the model, in words."""
    places = {
        measure: [
            f"{m.module} week {each.week} ({'leaving' if each.outcome == 'withdraws' else 'failing'})"
            for each in results
            for m in each.modules
            if m.model and m.rule and is_worse(m.model, m.rule)
        ]
        for measure, is_worse in (
            ("AUC", lambda model, rule: model.auc < rule.auc),
            ("precision at the top tenth", lambda m, r: m.precision_top_tenth < r.precision_top_tenth),
            ("Brier score", lambda model, rule: model.brier > rule.brier),
        )
    }
    told = [f"{measure}: {', '.join(where) if where else 'nowhere'}" for measure, where in places.items()]
    return "Where the rule was better than the model: " + "; ".join(told) + "."


def _by_module(results: Sequence[Result], outcome: str) -> list[str]:
    lines = [
        "| module | week | rows | cases | AUC | rule | top tenth | rule | Brier | rule |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    chosen = [each for each in results if each.outcome == outcome]
    for module in sorted({m.module for each in chosen for m in each.modules}):
        for each in chosen:
            for m in each.modules:
                if m.module != module:
                    continue
                figures = "| | | | | |"
                if m.model and m.rule:
                    figures = (
                        f"{m.model.auc:.3f} | {m.rule.auc:.3f} | {m.model.precision_top_tenth:.3f} |"
                        f" {m.rule.precision_top_tenth:.3f} | {m.model.brier:.4f} | {m.rule.brier:.4f}"
                    )
                lines.append(f"| {module} | {each.week} | {m.rows:,} | {m.cases:,} | {figures} |")
    return lines


def picture(results: Sequence[Result]) -> str:
    """Reliability as SVG: a panel per outcome and week, predicted to the right, observed upwards."""
    rows = list(OUTCOMES)
    height = TOP + len(rows) * (PANEL + GAP + 34)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-label="Predicted probability and observed share by outcome and week">',
        '<style>text{font-family:system-ui,-apple-system,"Segoe UI","Noto Sans",sans-serif;fill:#1f2933;font-size:12.5px}'
        ".h{font-size:15px;font-weight:600}.q{fill:#52606d}.e{text-anchor:end}.m{text-anchor:middle}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text class="h" x="{LEFT}" y="26">Predicted and observed, students of 2014J</text>',
        f'<text class="q" x="{LEFT}" y="46">A point is a tenth of the rows; on the dashed line what was predicted came'
        " true.</text>",
    ]
    for number, outcome in enumerate(rows):
        chosen = [each for each in results if each.outcome == outcome]
        points = {
            each.week: [Bin(**point) for point in each.proof.measures.get("reliability", [])]
            for each in chosen
        }
        top = max([0.1, *(max(p.predicted, p.observed) for found in points.values() for p in found)])
        step = next(each for each in (0.05, 0.1, 0.25) if top / each <= 4.5)
        top = step * np.ceil(top / step - 1e-9)
        y = TOP + number * (PANEL + GAP + 34) + 20
        parts.append(f'<text x="{LEFT}" y="{y - 6}" font-weight="600">{OUTCOMES[outcome]}</text>')
        for place, each in enumerate(chosen):
            parts += _panel(each, points[each.week], LEFT + place * (PANEL + GAP), y + 4, float(top), step)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(result: Result, points: Sequence[Bin], x: float, y: float, top: float, step: float) -> list[str]:
    def across(value: float) -> float:
        return round(x + PANEL * value / top, 1)

    def up(value: float) -> float:
        return round(y + PANEL - PANEL * value / top, 1)

    parts = [f'<rect x="{x}" y="{y}" width="{PANEL}" height="{PANEL}" fill="#f6f7f9" stroke="#c3c9d1"/>']
    for tick in np.arange(0, top + step / 2, step):
        parts += [
            f'<line x1="{across(tick)}" y1="{y}" x2="{across(tick)}" y2="{y + PANEL}" stroke="#e1e5ea"/>',
            f'<line x1="{x}" y1="{up(tick)}" x2="{x + PANEL}" y2="{up(tick)}" stroke="#e1e5ea"/>',
            f'<text class="q m" x="{across(tick)}" y="{y + PANEL + 15}">{tick:.0%}</text>',
            f'<text class="q e" x="{x - 5}" y="{up(tick) + 4}">{tick:.0%}</text>',
        ]
    parts.append(
        f'<line x1="{x}" y1="{y + PANEL}" x2="{x + PANEL}" y2="{y}" stroke="#8a919c" stroke-dasharray="5 4"/>'
    )
    line = " ".join(f"{across(p.predicted)},{up(p.observed)}" for p in points)
    if line:
        parts.append(f'<polyline points="{line}" fill="none" stroke="#2f6fb3" stroke-width="1.8"/>')
    parts += [
        f'<circle cx="{across(p.predicted)}" cy="{up(p.observed)}" r="3.6" fill="#2f6fb3"/>' for p in points
    ]
    auc = result.proof.measures.get("auc")
    words = f"week {result.week}" + (f", AUC {auc:.2f}" if auc is not None else ", too few cases")
    parts.append(f'<text x="{x + 8}" y="{y + 18}">{words}</text>')
    parts.append(
        f'<text class="q m" x="{x + PANEL / 2}" y="{y + PANEL + 31}">predicted (across), observed (up)</text>'
    )
    return parts
