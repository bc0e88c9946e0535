"""`rass-bench doctor`: is this machine ready?"""

from __future__ import annotations

import typer

EXAMPLES = """[bold]Example[/bold]

[cyan]rass-bench doctor[/cyan]
"""


def doctor_command() -> None:
    """Look at versions, extras, device and folders; exit 1 when the core is unusable."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rass_bench.evaluate.doctor import examine

    table = Table("", "what", "found")
    findings = examine()
    marks = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "bad": "[red]bad[/red]"}
    for finding in findings:
        table.add_row(marks[finding.state], finding.what, escape(finding.found))
    Console().print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)
