"""`hemostat serve`: the scoring server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.output import JsonOption, encode_json

if TYPE_CHECKING:
    from scoring.server import ServerAddress

app = typer.Typer(name=None)


StoreOption = Annotated[
    str | None,
    typer.Option(help="The online store: a folder, or redis://HOST:PORT (HEMOSTAT_STORE)."),
]
BundleOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A model bundle, or a folder of bundles, as PATH or TENANT=PATH; "
        "once per tenant (HEMOSTAT_BUNDLE)."
    ),
]
PolicyOption = Annotated[
    Path | None, typer.Option(help="Policy file; default: the one that ships with hemostat.")
]
HostOption = Annotated[
    str | None, typer.Option(help="Address to listen on; default: 127.0.0.1 (plaintext).")
]
PortOption = Annotated[int | None, typer.Option(help="gRPC port; default: 50051, 0: any free one.")]
MetricsPortOption = Annotated[
    int | None, typer.Option(help="Port of /metrics; default: 9464, 0: any free one.")
]
ClockOption = Annotated[
    str | None,
    typer.Option(help="wall (default), log-end (go on where the stream stopped) or replay:TIME."),
]
DecisionsOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the decision log; default: STORE/serving, for Redis hemostat-serving."
    ),
]
EventsOption = Annotated[
    str | None,
    typer.Option(
        help="Where published events go: a folder, or kafka://HOST:PORT/TOPIC; "
        "default: STORE-events, for Redis hemostat-events (HEMOSTAT_EVENTS)."
    ),
]
ReusePortOption = Annotated[
    bool | None,
    typer.Option("--reuse-port", help="Share the port with other servers, one per core."),
]
DeadlineOption = Annotated[
    float | None, typer.Option(help="Time for calls that bring no deadline; default: 50.")
]
ReadyFileOption = Annotated[
    Path | None, typer.Option(help="Written, with the addresses, when calls are taken.")
]


@app.command("serve")
def serve_scores(
    store: StoreOption = None,
    bundle: BundleOption = None,
    policy: PolicyOption = None,
    host: HostOption = None,
    port: PortOption = None,
    metrics_port: MetricsPortOption = None,
    clock: ClockOption = None,
    decisions: DecisionsOption = None,
    events: EventsOption = None,
    reuse_port: ReusePortOption = None,
    deadline_ms: DeadlineOption = None,
    ready_file: ReadyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve scores over gRPC until SIGTERM or Ctrl-C.

    Prints one line with its addresses when calls are taken; log lines go to stderr
    as JSON. An edited policy and a promoted bundle are taken over within seconds.
    Every option is also an environment variable, such as HEMOSTAT_PORT.
    """
    import asyncio
    import os

    # The transport's own complaints; ours say the same with a fix.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from scoring.logging_setup import configure_logging
    from scoring.server import serve
    from scoring.settings import load_settings

    given = {
        "store": store,
        "bundle": tuple(bundle) if bundle else None,
        "policy": policy,
        "host": host,
        "port": port,
        "metrics_port": metrics_port,
        "clock": clock,
        "decisions": decisions,
        "events": events,
        "reuse_port": reuse_port or None,
        "deadline_ms": deadline_ms,
        "ready_file": ready_file,
    }
    settings = load_settings(given)
    configure_logging()

    def tell(address: ServerAddress) -> None:
        typer.echo(encode_json(address) if as_json else _describe(address))

    asyncio.run(serve(settings, tell))


def _describe(address: ServerAddress) -> str:
    models = ", ".join(f"{tenant} ({version})" for tenant, version in address.models.items())
    return (
        f"serving {models} on {address.address}, metrics {address.metrics}, "
        f"policy {address.policy}, clock {address.clock}"
    )
