"""Everything that is ever recorded: the institution's frame and, block by block, its customers."""

from __future__ import annotations

from collections.abc import Iterator

from lifecourse.simulator import frame
from lifecourse.simulator.almanac import World
from lifecourse.simulator.block import Block, block_of
from lifecourse.simulator.care import add_care
from lifecourse.simulator.commitments import add_commitments
from lifecourse.simulator.communities import add_communities
from lifecourse.simulator.confusions import add_confusions
from lifecourse.simulator.doubles import add_doubles
from lifecourse.simulator.experiments import add_experiments, experiments
from lifecourse.simulator.fault_plan import FaultPlan
from lifecourse.simulator.leads import add_leads
from lifecourse.simulator.money import add_money
from lifecourse.simulator.planting import Planter, Planting
from lifecourse.simulator.replies import add_replies
from lifecourse.simulator.sheets import DAY, Sheet
from lifecourse.simulator.study import add_study
from lifecourse.simulator.topics import add_topics
from lifecourse.simulator.traits import add_traits


def frame_sheets(world: World) -> list[Sheet]:
    """Tables of the institution as a whole, up to the last day that is laid out."""
    limit = (world.last_day + 1) * DAY
    return [s.take(s.visible < limit) for s in (*frame.sheets(world), experiments(world))]


def make_block(world: World, number: int, plan: FaultPlan) -> tuple[Block, Planting]:
    """One block with all its tables, and the faults planted in them."""
    block = block_of(world, number, plan)
    add_study(block)
    add_topics(block)
    add_money(block)
    add_leads(block)
    add_communities(block)
    add_care(block)
    add_replies(block)
    add_commitments(block)
    add_experiments(block)
    add_traits(block)
    add_doubles(block, plan)
    add_confusions(block, plan)
    return block, Planter(block, plan).plant()


def blocks(world: World, plan: FaultPlan) -> Iterator[tuple[Block, Planting]]:
    """All blocks, one after the other."""
    for number in range(world.blocks):
        yield make_block(world, number, plan)
