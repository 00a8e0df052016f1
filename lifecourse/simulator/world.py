"""Everything that is ever recorded: the institution's frame and, block by block, its customers."""

from __future__ import annotations

from collections.abc import Iterator

from lifecourse.simulator import frame
from lifecourse.simulator.almanac import World
from lifecourse.simulator.block import Block, block_of
from lifecourse.simulator.care import add_care
from lifecourse.simulator.doubles import add_doubles
from lifecourse.simulator.fault_plan import FaultPlan
from lifecourse.simulator.leads import add_leads
from lifecourse.simulator.money import add_money
from lifecourse.simulator.planting import Planter, Planting
from lifecourse.simulator.sheets import DAY, Sheet
from lifecourse.simulator.study import add_study


def frame_sheets(world: World) -> list[Sheet]:
    """Tables of the institution as a whole, up to the last day that is laid out."""
    limit = (world.last_day + 1) * DAY
    return [s.take(s.visible < limit) for s in frame.sheets(world)]


def make_block(world: World, number: int, plan: FaultPlan) -> tuple[Block, Planting]:
    """One block with all its tables, and the faults planted in them."""
    block = block_of(world, number, plan)
    add_study(block)
    add_money(block)
    add_leads(block)
    add_care(block)
    add_doubles(block, plan)
    return block, Planter(block, plan).plant()


def blocks(world: World, plan: FaultPlan) -> Iterator[tuple[Block, Planting]]:
    """All blocks, one after the other."""
    for number in range(world.blocks):
        yield make_block(world, number, plan)
