"""The picture of the state machine in docs/images/lifecycle.svg, drawn from the seeds that the models are tested with.

One column per phase, its base stages under one another; the danger layer lies below. An arrow that leaves every stage
of a phase for the same reasons leaves the phase. Changes that need rules other than the defaults are told in words.
`scripts/draw_lifecycle` writes the file; a test compares it with the seeds.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from textwrap import wrap

from lifecourse.errors import LifecourseError
from lifecourse.settings import PROJECT

SEEDS = PROJECT / "dbt_project" / "seeds" / "lifecycle"
PICTURE = PROJECT / "docs" / "images" / "lifecycle.svg"

WIDTH = 950
TOP, ROW, STATE_WIDTH, STATE_HEIGHT = 146, 146, 156, 60
LINE = 17
#: Between the boxes of a run and of danger, and the height of the latter.
GAP, DANGER_HEIGHT = 42, 158
#: Room in a phase's box over its first stage, and under its last one, where its name stands.
OVER, UNDER = 22, 58
#: Left edge and width of a phase's box, and the colours of box, border and stage: by place of the phase.
COLUMNS = ((20, 196), (348, 280), (734, 196))
COLOURS = (
    ("#f6f7f9", "#8a919c", "#e9ecf0"),
    ("#f1faf3", "#3f9a5b", "#d9f0df"),
    ("#f4f1fa", "#7a62b3", "#e4dcf4"),
)
DANGER_COLOURS = ("#fff6f0", "#cf6a2c", "#fde0cc")
CLEAR_COLOUR = "#d9f0df"
STYLE = (
    'text{font-family:system-ui,-apple-system,"Segoe UI","Noto Sans","Noto Sans CJK SC",sans-serif;fill:#1f2933}'
    ".n{font-size:16px;font-weight:600;text-anchor:middle}.z{font-size:12.5px;text-anchor:middle;fill:#3e4c59}"
    ".p{font-size:13.5px;font-weight:600;fill:#3e4c59}.r{font-size:13px}"
    ".s{font-size:12.5px;fill:#52606d}.a{stroke:#3e4c59;stroke-width:1.7;fill:none;marker-end:url(#h)}"
)


@dataclass(frozen=True)
class Stage:
    """A row of lifecycle_stage, and its place in the picture."""

    code: str
    phase: str
    name: str
    name_zh: str
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.x + STATE_WIDTH / 2

    @property
    def right(self) -> float:
        return self.x + STATE_WIDTH


@dataclass
class Phase:
    """A column: the box around the stages of a phase."""

    code: str
    name: str
    name_zh: str
    x: float
    width: float
    place: int
    stages: list[Stage] = field(default_factory=list)


@dataclass
class Machine:
    """What the seeds say."""

    phases: dict[str, Phase]
    stages: dict[str, Stage]
    #: (from, to) -> reasons, in the order of the table; an empty `from` is the beginning.
    base: dict[tuple[str, str], tuple[str, ...]]
    danger: dict[tuple[str, str], tuple[str, ...]]
    #: Changes of the base layer that need other rules.
    other: list[tuple[str, str]]
    #: The state of danger, in English and Chinese.
    danger_name: str
    danger_name_zh: str
    height: float


def draw(seeds: Path = SEEDS) -> str:
    """The picture as SVG text; raises `LifecourseError` for a change that it has no way to draw."""
    machine = _read(seeds)
    parts = [*_phases(machine), *_base_arrows(machine), *_danger(machine), *_words(machine)]
    height = machine.height
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
            'aria-label="The lifecycle as a state machine">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="h" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#3e4c59"/></marker></defs>',
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:g}" rx="10" fill="#ffffff" '
            'stroke="#d5dae1"/>',
            *parts,
            "</svg>\n",
        ]
    )


# Reading -------------------------------------------------------------------------------------------------


def _rows(seeds: Path, name: str) -> list[dict[str, str]]:
    with (seeds / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read(seeds: Path) -> Machine:
    rows = sorted(_rows(seeds, "lifecycle_stage"), key=lambda row: int(row["ordinal"]))
    base_rows = [row for row in rows if row["layer"] == "base"]
    by_phase: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in base_rows:
        by_phase[row["phase_code"]].append(row)
    if len(by_phase) > len(COLUMNS):
        raise LifecourseError(
            f"{len(by_phase)} phases",
            "lifecycle_stage.csv",
            "give the new one a place in COLUMNS of picture.py",
        )
    deepest = max(len(stages) for stages in by_phase.values())
    phases, stages = {}, {}
    for place, (code, members) in enumerate(by_phase.items()):
        x, width = COLUMNS[place]
        first = members[0]
        phase = phases[code] = Phase(code, first["phase_name_en"], first["phase_name_zh"], x, width, place)
        # Few stages are spread over the height of many.
        step = ROW * (deepest - 1) / max(1, len(members) - 1)
        for number, row in enumerate(members):
            stage = Stage(
                row["stage_code"], code, row["name_en"], row["name_zh"], x + 20, TOP + step * number
            )
            phase.stages.append(stage)
            stages[stage.code] = stage
    edges: dict[str, dict[tuple[str, str], list[str]]] = {
        "base": defaultdict(list),
        "danger": defaultdict(list),
    }
    other = []
    for row in _rows(seeds, "lifecycle_transition_allowed"):
        change = (row["from_code"], row["to_code"])
        if row["needs_other_rules"] == "true":
            other.append(change)
        else:
            edges[row["layer"]][change].append(row["reason_code"])
    danger = next(row for row in rows if row["layer"] == "danger")
    return Machine(
        phases,
        stages,
        {change: tuple(reasons) for change, reasons in edges["base"].items()},
        {change: tuple(reasons) for change, reasons in edges["danger"].items()},
        other,
        danger["name_en"],
        danger["name_zh"],
        TOP + ROW * (deepest - 1) + STATE_HEIGHT + UNDER + GAP + DANGER_HEIGHT + 30,
    )


# Drawing -------------------------------------------------------------------------------------------------


def _box(x: float, y: float, width: float, height: float, fill: str, stroke: str, dash: bool = False) -> str:
    dashed = ' stroke-dasharray="6 4"' if dash else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="9" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="1.5"{dashed}/>'
    )


def _text(x: float, y: float, text: str, style: str, anchor: str = "") -> str:
    anchored = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}" class="{style}"{anchored}>{escape(text)}</text>'


def _arrow(*points: tuple[float, float]) -> str:
    path = " L".join(f"{x:g} {y:g}" for x, y in points)
    return f'<path d="M{path}" class="a"/>'


def _labels(reasons: tuple[str, ...], x: float, bottom: float, anchor: str) -> list[str]:
    """Reasons under one another, the last one's baseline at `bottom`."""
    return [
        _text(x, bottom - LINE * (len(reasons) - 1 - number), reason, "r", anchor)
        for number, reason in enumerate(reasons)
    ]


def _state(x: float, y: float, name: str, under: str, fill: str, stroke: str) -> list[str]:
    return [
        _box(x, y, STATE_WIDTH, STATE_HEIGHT, fill, stroke),
        _text(x + STATE_WIDTH / 2, y + 26, name, "n"),
        _text(x + STATE_WIDTH / 2, y + 46, under, "z"),
    ]


def _phases(machine: Machine) -> list[str]:
    parts = []
    for phase in machine.phases.values():
        fill, stroke, stage_fill = COLOURS[phase.place]
        end = phase.stages[-1].y + STATE_HEIGHT + UNDER
        parts.append(_box(phase.x, TOP - OVER, phase.width, end - TOP + OVER, fill, stroke, dash=True))
        parts.append(_text(phase.x + phase.width / 2, end - 31, phase.name, "p", "middle"))
        parts.append(_text(phase.x + phase.width / 2, end - 13, phase.name_zh, "s", "middle"))
        for stage in phase.stages:
            parts += _state(stage.x, stage.y, stage.name, f"{stage.code} {stage.name_zh}", stage_fill, stroke)
    return parts


def _base_arrows(machine: Machine) -> list[str]:
    parts: list[str] = []
    left = dict(machine.base)
    beginnings = [(to, left.pop(("", to))) for start, to in list(left) if start == ""]
    parts += _beginnings(machine, beginnings)
    # One arrow for what all stages of a phase have in common.
    for phase in machine.phases.values():
        members = [stage.code for stage in phase.stages]
        for to in machine.stages:
            reasons = {left.get((member, to)) for member in members}
            if len(members) > 1 and None not in reasons and len(reasons) == 1:
                shared = [left.pop((member, to)) for member in members][0]
                parts += _across(machine, phase, None, machine.stages[to], shared)
    for (start, to), reasons_of_one in left.items():
        source, target = machine.stages[start], machine.stages[to]
        if source.phase != target.phase:
            parts += _across(machine, machine.phases[source.phase], source, target, reasons_of_one)
            continue
        stages = machine.phases[source.phase].stages
        if stages.index(target) != stages.index(source) + 1:
            raise _no_way(source.code, target.code)
        x = source.middle
        parts.append(_arrow((x, source.y + STATE_HEIGHT), (x, target.y - 3)))
        middle = (source.y + STATE_HEIGHT + target.y) / 2
        bottom = middle + LINE * (len(reasons_of_one) - 1) / 2 + 2
        parts += _labels(reasons_of_one, x + 12, bottom, "start")
    return parts


def _beginnings(machine: Machine, beginnings: list[tuple[str, tuple[str, ...]]]) -> list[str]:
    """From a dot over the first stage: down into it, or along and down into the first stage of another phase."""
    first = next(iter(machine.stages.values()))
    x, y = first.middle, 44
    parts = [f'<circle cx="{x:g}" cy="{y}" r="9" fill="#3e4c59"/>']
    for code, reasons in beginnings:
        target = machine.stages[code]
        if target is first:
            parts.append(_arrow((x, y), (x, target.y - 3)))
            parts += _labels(reasons, x + 12, y + 46, "start")
        elif target is machine.phases[target.phase].stages[0]:
            parts.append(_arrow((x, y), (target.middle, y), (target.middle, target.y - 3)))
            parts += _labels(reasons, (x + target.middle) / 2, y - 9, "middle")
        else:
            raise _no_way("the beginning", code)
    return parts


def _across(
    machine: Machine, phase: Phase, source: Stage | None, target: Stage, reasons: tuple[str, ...]
) -> list[str]:
    """Level with the target, from a stage or (source null) from the edge of the phase's box."""
    y = target.y + STATE_HEIGHT / 2
    if source is not None and source.y != target.y:
        raise _no_way(source.code, target.code)
    other = machine.phases[target.phase]
    if other.place > phase.place:
        start = source.right if source else phase.x + phase.width
        parts = [_arrow((start, y), (target.x - 3, y))]
        gap = (phase.x + phase.width, other.x)
    else:
        parts = [_arrow((source.x if source else phase.x, y), (target.right + 3, y))]
        gap = (other.x + other.width, phase.x)
    return parts + _labels(reasons, sum(gap) / 2, y - 9, "middle")


def _danger(machine: Machine) -> list[str]:
    fill, stroke, danger_fill = DANGER_COLOURS
    runs = max(machine.phases.values(), key=lambda phase: len(phase.stages))
    top = runs.stages[-1].y + STATE_HEIGHT + UNDER + GAP
    x = runs.x
    parts = [
        # The layer lies beside the stages of a run.
        f'<path d="M{runs.stages[0].middle:g} {top - GAP:g} V{top:g}" stroke="{stroke}" stroke-width="1.7" '
        'stroke-dasharray="2 4" fill="none"/>',
        _text(runs.stages[0].middle + 12, top - 15, "beside the base stage, on days of a run", "s"),
        _box(x, top, WIDTH - 20 - x, DANGER_HEIGHT, fill, stroke, dash=True),
        _text(x + (WIDTH - 20 - x) / 2, top + DANGER_HEIGHT - 18, "Danger layer", "p", "middle"),
    ]
    places = {"clear": x + 20, "danger": WIDTH - 40 - STATE_WIDTH}
    y = top + 26
    parts += _state(places["clear"], y, "No open signal", "clear", CLEAR_COLOUR, "#3f9a5b")
    parts += _state(
        places["danger"], y, machine.danger_name, f"danger {machine.danger_name_zh}", danger_fill, stroke
    )
    middle = (places["clear"] + STATE_WIDTH + places["danger"]) / 2
    for (start, to), reasons in machine.danger.items():
        if (start, to) == ("clear", "danger"):
            parts.append(_arrow((places[start] + STATE_WIDTH, y + 16), (places[to] - 3, y + 16)))
            parts += _labels(reasons, middle, y + 7, "middle")
        elif (start, to) == ("danger", "clear"):
            parts.append(_arrow((places[start], y + 46), (places[to] + STATE_WIDTH + 3, y + 46)))
            parts += _labels(reasons, middle, y + 46 + LINE * len(reasons), "middle")
        else:
            raise _no_way(start, to)
    return parts


def _words(machine: Machine) -> list[str]:
    """What needs other rules, in the free place under the first phase."""
    froms: dict[str, list[str]] = defaultdict(list)
    for start, to in machine.other:
        if (start or "the beginning") not in froms[to]:
            froms[to].append(start or "the beginning")
    lines = [
        "Drawn from the transition",
        "table: the seed",
        "lifecycle_transition_allowed.",
        "",
        "An arrow that leaves a dashed",
        "box leaves each stage in it.",
    ]
    if froms:
        lines += ["", "Not drawn, since only rules", "other than the defaults lead"]
    for to, starts in froms.items():
        lines += wrap(f"to {to} from {', '.join(starts)}", 30, initial_indent="  ", subsequent_indent="  ")
    y = TOP + STATE_HEIGHT + UNDER + 40
    return [
        _text(COLUMNS[0][0] + (16 if line.startswith(" ") else 4), y + 18 * number, line.strip(), "s")
        for number, line in enumerate(lines)
        if line
    ]


def _no_way(start: str, to: str) -> LifecourseError:
    return LifecourseError(
        f"no way to draw the change from {start} to {to}",
        "lifecycle_transition_allowed.csv",
        "teach it to lifecourse/handbook/picture.py, which draws between neighbours and across phases",
    )
