"""A seeded, event-time simulation of shops with known truth.

Reading order: `config`, `presets`, `patterns`; the world (`seasons`, `catalogue`, `pricing`,
`ledger`, `stock`, `carriers`, `logistics`, `service`, `terms`); its people
(`agent_types`, `population`, `agent`); what they do (`basket`, `ordering`,
`cancelling`, `return_causes`, `returning`, `walk_in`); how the shop looks at it
(`checking`); how it is told (`*_story`, `wording`, `outbox`, `truth`); the loop
(`simulation`). Beside it: `what_if` changes one thing, `diff` and `closure` show
that this changed only what it causes, `realism` measures whether a label hides in
plain sight. The story and the source of each number: `docs/SIMULATION.md`.
"""

from training.simulation.config import SimulationConfig
from training.simulation.simulation import SimulationSummary, simulate

__all__ = ["SimulationConfig", "SimulationSummary", "simulate"]
