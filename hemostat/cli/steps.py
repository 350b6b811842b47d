"""Progress of work that goes step by step: one bar on stderr, renamed at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hemostat.cli.output import Output


@contextmanager
def show_steps(output: Output) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what the work tells where it stands: step, units done, units in all (0: unknown)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description:<40}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=output.make_progress_console(),
        transient=True,
    )
    task = bars.add_task("", total=None)

    def tell(step: str, n_done: int, n_total: int) -> None:
        bars.update(task, description=step, completed=n_done, total=n_total or None)

    with bars:
        yield tell
