"""A scorer without a server, over a small world, for the tests of the scorer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.serving.world import BAZAAR, SHOP, World
from features.store.lmdb_store import LmdbFeatureReader
from features.store.port import FeatureReader
from hemostat.v1 import scoring_pb2 as pb
from scoring.clock import Clock
from scoring.conversion import to_case
from scoring.decision_log import DecisionLog
from scoring.metrics import ScoringMetrics
from scoring.model import Model, load_model
from scoring.rules import Rules
from scoring.scorer import Result, Scorer
from scoring.serving_store import ServingStore


class Bench:
    """A scorer over a world, with a clock that the test sets."""

    def __init__(self, world: World, rules: Rules, folder: Path) -> None:
        self.models: dict[str, Model] = {
            SHOP: load_model(world.shop_bundles),
            BAZAAR: load_model(world.bazaar_bundle),
        }
        self.rules = rules
        self.now_us = world.applied_us + 2_000_000
        self.store: FeatureReader = LmdbFeatureReader.open_reader(world.store)
        self.serving = ServingStore.open(folder)
        self.log = DecisionLog(self.serving)

    def score_all(self, *requests: pb.ScoreRequest) -> list[Result]:
        """Score some requests in one micro-batch."""
        scorer = Scorer(
            store=self.store,
            get_models=lambda: self.models,
            get_rules=lambda: self.rules,
            log=self.log,
            clock=Clock(lambda: self.now_us),
            metrics=ScoringMetrics(),
        )
        cases = [
            to_case(
                request,
                with_lines=request.tenant in self.models
                and self.models[request.tenant].has_line_heads,
                received_s=0.0,
                now_us=self.now_us,
            )
            for request in requests
        ]

        async def run() -> list[Result]:
            return scorer.score(cases)

        return asyncio.run(run())

    def score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:
        """Score one request that is answered."""
        (result,) = self.score_all(request)
        assert isinstance(result, pb.ScoreResponse)
        return result
