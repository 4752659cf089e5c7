"""The command line: one module per command, no logic."""


def main() -> None:
    """Run the command line."""
    from orchestrator.cli.signals import arm, ended_by

    try:
        arm()
        from orchestrator.cli.app import run

        run()
    except KeyboardInterrupt as stop:  # before a command began, or after it ended
        raise SystemExit(ended_by(stop)) from None
