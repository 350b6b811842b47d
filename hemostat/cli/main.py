"""The `hemostat` command line: which commands exist and how their errors are shown.

Each command is a module `<name>_command.py` beside this one that holds
`app: typer.Typer`: a nameless app with one `@app.command("<name>")`, or an app
with `name="<name>"` and a callback if it has subcommands of its own. Command
modules import heavy libraries and other packages of the project *inside* their
functions: a command starts without loading what only another one needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Annotated

import typer
import typer.main

from features.errors import HemostatError
from hemostat.cli.output import ErrorReport, write_error

COMMANDS: dict[str, str] = {
    "import": "hemostat.cli.import_command",
    "simulate": "hemostat.cli.simulate_command",
    "simulate-diff": "hemostat.cli.simulate_diff_command",
    "study-sequence": "hemostat.cli.study_sequence_command",
    "simulate-report": "hemostat.cli.simulate_report_command",
    "stream": "hemostat.cli.stream_command",
    "dlq": "hemostat.cli.dlq_command",
    "labels": "hemostat.cli.labels_command",
    "train": "hemostat.cli.train_command",
    "evaluate": "hemostat.cli.evaluate_command",
    "drift": "hemostat.cli.drift_command",
    "models": "hemostat.cli.models_command",
    "promote": "hemostat.cli.promote_command",
    "rollback": "hemostat.cli.rollback_command",
    "keys": "hemostat.cli.keys_command",
    "serve": "hemostat.cli.serve_command",
    "score": "hemostat.cli.score_command",
    "features": "hemostat.cli.features_command",
    "store": "hemostat.cli.store_command",
    "log": "hemostat.cli.log_command",
    "outcomes": "hemostat.cli.outcomes_command",
    "forget": "hemostat.cli.forget_command",
    "feast": "hemostat.cli.feast_command",
    "demo": "hemostat.cli.demo_command",
}
"""Name of each command and the module that holds it, in the order of a first use."""

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_NOBODY_READS = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process.

    Faults that the user can mend (`HemostatError`, a wrong option) end in one
    message on stderr and code 2; with `--json` that message is one JSON object.
    stdout carries results only. What the file system refuses (no such folder, no
    permission, a full disk) is such a fault, too. Programmer errors are not caught:
    they crash with a traceback and code 1. An interrupt (Ctrl-C) gives 130, a
    closed pipe (`| head`) 141.

    Args:
        arguments: Command line without the program's name. None: `sys.argv[1:]`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in words
    command = typer.main.get_command(build_app(words))
    try:
        outcome = command.main(args=words, prog_name="hemostat", standalone_mode=False)
    except HemostatError as error:
        write_error(ErrorReport.from_error(error), as_json=as_json)
        return EXIT_USER_ERROR
    except typer.TyperException as error:
        write_error(_describe_usage_error(error, words), as_json=as_json)
        return error.exit_code
    except BrokenPipeError:
        # What is still buffered must not fail again while the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NOBODY_READS
    except OSError as error:
        write_error(_describe_os_error(error), as_json=as_json)
        return EXIT_USER_ERROR
    except typer.Abort:  # End of input at a prompt.
        return EXIT_INTERRUPTED
    return outcome if isinstance(outcome, int) else 0


def build_app(words: Sequence[str]) -> typer.Typer:
    """Return the application with the command that `words` asks for.

    Only that command's module is imported. Without a known command (help, a
    typing error) all of them are there, so that help lists them and the error
    can suggest the right one.
    """
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,  # Help texts may hold square brackets.
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    # The root has no option that takes a value: the first plain word is the command.
    wanted = next((word for word in words if not word.startswith("-")), "")
    modules = [COMMANDS[wanted]] if wanted in COMMANDS else list(COMMANDS.values())
    for module in modules:
        app.add_typer(import_module(module).app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hemostat {metadata.version('hemostat')}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Score orders, cancellations and returns while the customer waits.

    First use: `hemostat demo`. On your own events: import (or simulate), stream, train, serve,
    score. Every command takes --help and --json.
    """


def _describe_os_error(error: OSError) -> ErrorReport:
    return ErrorReport(
        message="the operating system refuses a file or connection",
        field=str(error.filename or ""),
        value=error.strerror or str(error),
        fix="check that the path exists, that you may write there and that the disk has room",
    )


def _describe_usage_error(error: typer.TyperException, words: Sequence[str]) -> ErrorReport:
    command = [word for word in words[:1] if word in COMMANDS]
    return ErrorReport(
        message=error.format_message().rstrip("."),
        fix=f"see `{' '.join(['hemostat', *command, '--help'])}`",
    )


if __name__ == "__main__":
    sys.exit(main())
