"""The limit of gRPC latency: the same service on grpc.aio with a handler that does nothing."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc

from hemostat.v1 import scoring_pb2 as pb
from hemostat.v1 import scoring_pb2_grpc


class EmptyServicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Answers every case with one prepared answer of the usual size.

    Args:
        answer: What is answered.
    """

    def __init__(self, answer: pb.ScoreResponse) -> None:
        self._answer = answer

    async def Score(  # noqa: N802  # The name is the proto's.
        self, request: pb.ScoreRequest, context: Any
    ) -> pb.ScoreResponse:
        """Return the prepared answer."""
        return self._answer


async def _serve(answer: pb.ScoreResponse) -> None:
    server = grpc.aio.server()
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(EmptyServicer(answer), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f'{{"address": "127.0.0.1:{port}"}}\n')
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(pb.ScoreResponse.FromString(bytes.fromhex(sys.argv[1]))))
