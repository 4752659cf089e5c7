"""The command line: one module per command, no logic."""


def main() -> None:
    """Run the command line."""
    try:
        from orchestrator.cli.app import run
    except KeyboardInterrupt:  # before anything could be asked for
        from orchestrator.errors import ExitCode

        raise SystemExit(int(ExitCode.INTERRUPTED)) from None
    run()
