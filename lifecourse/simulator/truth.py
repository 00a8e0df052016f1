"""What really is so, for tests only: which records are one person, of what hidden type, who left and why.

Parquet files in ``<home>/simulator/truth``; they cover the whole world that is laid out, so tests
leave out what lies after the day they look at.

============= =================================================================================
``people``     one row per person: hidden type, household, how far they got, first enquiry
``records``    one row per record of a person: system, table, key, person
``runs``       one row per stay: first and last entitled day, ending, reason, when trouble began
============= =================================================================================
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecourse.simulator.block import Block
from lifecourse.simulator.households import BIG_STRIDE, DOUBLE, LEARNER_DOUBLE, PEOPLE_STRIDE
from lifecourse.simulator.sheets import DAY, FAR, NONE, words
from lifecourse.simulator.stories import ENDINGS, type_name

_REACH = ("lead_only", "trialled", "buyer")
_DAY = pa.date32()


class Truth:
    """Writes the truth, block by block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Truth:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def _write(self, name: str, table: pa.Table) -> None:
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self.folder / f"{name}.parquet", table.schema)
        self._writers[name].write_table(table)

    def add(self, block: Block) -> None:
        """Write what is true of a block."""
        people, runs, world = block.people, block.stories.runs, block.world
        person = block.number * BIG_STRIDE + 1 + np.arange(len(people))
        is_learner = block.learner_since < FAR * DAY
        learners = block.sheets["learners"].keys
        learner_place = learners - people.learner_id[0]
        learner_person = person[
            np.where(learner_place >= LEARNER_DOUBLE, learner_place - LEARNER_DOUBLE, learner_place)
        ]
        self._write("people", pa.table({
            "person_id": person,
            "household_id": block.number * BIG_STRIDE + 1 + people.household,
            "campus_id": np.full(len(people), block.campus_id),
            "hidden_type": pa.array(type_name(people.hidden_type), pa.string()),
            "reach": pa.array(np.array(_REACH, dtype=object)[people.reach], pa.string()),
            "learner_id": pa.array(people.learner_id, mask=~is_learner),
            "first_enquiry_on": _days(people.first_day),
            "referred_by": pa.array(np.where(people.referrer >= 0, person[people.referrer], 0), mask=people.referrer < 0),
        }))  # fmt: skip
        leads = block.sheets["leads"].keys
        place = (leads - 1) % PEOPLE_STRIDE
        lead_person = person[np.where(place >= DOUBLE, place - DOUBLE, place)]
        orders = block.sheets["orders"]
        records = [
            ("signup", "leads", leads.astype(str), lead_person),
            ("teaching", "learners", learners.astype(str), learner_person),
            ("payments", "orders", np.char.add("O", orders.keys.astype(str)),
             person[orders.columns["learner_id"] - people.learner_id[0]]),
        ]  # fmt: skip
        for system, table, keys, who in records:
            self._write("records", pa.table({
                "system": pa.array([system] * len(who)), "table": pa.array([table] * len(who)),
                "key": pa.array(keys.tolist(), pa.string()), "person_id": np.asarray(who),
            }))  # fmt: skip
        left = runs.last_day <= world.last_day
        self._write("runs", pa.table({
            "person_id": person[runs.person],
            "learner_id": people.learner_id[runs.person],
            "run_no": runs.number,
            "first_purchase_on": _days(runs.first_day),
            "last_entitled_on": _days(np.where(left, runs.last_day, NONE)),
            "ending": pa.array(words(left, np.array(ENDINGS, dtype=object)[runs.ending], None), pa.string()),
            "reason": pa.array(words(left, runs.reason, None), pa.string()),
            "trouble_from": _days(np.where(runs.trouble_from <= world.last_day, runs.trouble_from, NONE)),
            "signs": runs.signs,
        }))  # fmt: skip


def _days(days: np.ndarray) -> pa.Array:
    return pa.array(days.astype("datetime64[D]"), mask=days == NONE, type=_DAY)
