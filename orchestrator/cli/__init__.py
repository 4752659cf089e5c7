"""The command line: one module per command, no logic."""


def main() -> None:
    """Run the command line."""
    from orchestrator.cli.app import run

    run()
