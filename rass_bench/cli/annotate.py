"""`rass-bench annotate`: label photos in Label Studio, check the labels, build the data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from rass_bench.cli import annotate_masks
from rass_bench.cli.options import LimitOption, OnError, OnErrorOption, WorkersOption
from rass_bench.cli.progress import progress_bar
from rass_bench.leaderboard.safe_text import one_line

if TYPE_CHECKING:
    from rass_bench.annotate.assess import Assessment
    from rass_bench.annotate.pull import PullReport
    from rass_bench.models.protocols import Segmenter

EXAMPLES = """[bold]Example[/bold]

In one terminal, the server of the project in ./annotation:
[cyan]rass-bench annotate init --dataset reallq[/cyan]
[cyan]rass-bench annotate serve[/cyan]

In another one:
[cyan]rass-bench annotate annotator ann@example.org[/cyan]
[cyan]rass-bench annotate annotator bob@example.org[/cyan]
[cyan]rass-bench annotate push --images photos --annotators 2[/cyan]
[cyan]rass-bench annotate pull[/cyan]
[cyan]rass-bench annotate qa[/cyan]
[cyan]rass-bench annotate adjudicate[/cyan]
[cyan]rass-bench annotate build --out my-set --on-error skip[/cyan]
[cyan]rass-bench run --dataset my-set --model M[/cyan]
"""

SHOWN = 20
"""Photos and annotations that a command names; all are in its files."""

app = typer.Typer(
    help="Label real photos in Label Studio, check the labels, build the data set.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=EXAMPLES,
)

DirOption: TypeAlias = Annotated[Path, typer.Option("--dir", help="The project's folder.")]
PolicyOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="The gates. [default: policy.yaml in the project's folder]")
]

FOLDER = Path("annotation")


@app.callback()
def group() -> None:
    """Label real photos in Label Studio, check the labels, build the data set."""


@app.command("init")
def init_command(
    dataset: Annotated[
        str,
        typer.Option("--dataset", "-d", help="The data set to be made; its labels are drawn."),
    ] = "reallq",
    folder: DirOption = FOLDER,
) -> None:
    """Write labelling configuration, guidelines and policy; files that exist are kept."""
    from rass_bench.annotate.initialise import initialise

    report = initialise(folder, dataset)
    for name in report.written:
        typer.echo(f"written: {folder / name}")
    for name in report.kept:
        typer.echo(f"kept: {folder / name}")


@app.command("serve")
def serve_command(
    folder: DirOption = FOLDER,
    port: Annotated[
        int | None, typer.Option(help="Where to listen, on this machine alone. [default: a free]")
    ] = None,
) -> None:
    """Run the project's Label Studio server until Ctrl-C; the first time, install it."""
    import signal

    from rich.console import Console

    from rass_bench.annotate.credentials import ADMIN, credentials_path
    from rass_bench.annotate.initialise import check_begun
    from rass_bench.annotate.server import running_server, wait_for_end

    check_begun(folder)
    # A service manager asks a program to end by SIGTERM, which would leave the server running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    try:
        with running_server(
            folder, port, say=lambda what: console.print(what, markup=False, soft_wrap=True)
        ) as server:
            typer.echo(f"Label Studio: {server.url}")
            typer.echo(f"Log in as {ADMIN}; the password is in {credentials_path(folder)}")
            typer.echo("Ctrl-C stops it.")
            wait_for_end(server, folder)
    except KeyboardInterrupt:
        typer.echo("Stopped. What was labelled is kept.")


@app.command("annotator")
def annotator_command(
    email: Annotated[str, typer.Argument(help="The name to log in with; no mail is sent.")],
    folder: DirOption = FOLDER,
) -> None:
    """Make an account for somebody who labels."""
    from rass_bench.annotate.annotators import add_annotator
    from rass_bench.annotate.client import Client
    from rass_bench.annotate.credentials import credentials_path
    from rass_bench.annotate.handed_in import pseudonym
    from rass_bench.annotate.initialise import check_begun
    from rass_bench.annotate.server import connect

    check_begun(folder)
    with connect(folder) as client:
        account = add_annotator(client, folder, email)
        with Client(client.url, account.token) as own:
            number = own.get("/api/current-user/whoami")["id"]
    # A password on the terminal would stay in its history.
    typer.echo(
        f"{account.email} is {pseudonym(number)}; the password is in {credentials_path(folder)}"
    )


@app.command("push")
def push_command(
    images: Annotated[Path, typer.Option(help="Folder of the photos.")],
    prelabel: Annotated[
        str | None,
        typer.Option(
            help="A model whose prediction annotators start from, one a project; see `run --model`."
        ),
    ] = None,
    annotators: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many label each photo, blind to one another. [default: 2, or as before]",
        ),
    ] = None,
    limit: LimitOption = None,
    folder: DirOption = FOLDER,
) -> None:
    """Put photos on the server as tasks; what is there already is left alone."""
    from rass_bench.annotate.initialise import load_space
    from rass_bench.annotate.photos import open_photos
    from rass_bench.annotate.project import tasks_path
    from rass_bench.annotate.push import push
    from rass_bench.annotate.server import connect

    space = load_space(folder)
    samples = open_photos(images)[:limit]
    with connect(folder) as client:
        segmenter = None if prelabel is None else _load(prelabel)
        total = len(samples) * (1 if segmenter is None else 2)
        with progress_bar("push", total) as advance:
            report = push(
                client,
                folder,
                samples,
                space,
                annotators=annotators or (None if tasks_path(folder).is_file() else 2),
                segmenter=segmenter,
                advance=advance,
            )
        typer.echo(
            f"{report.tasks_added} photos added, {report.tasks_kept} were there; "
            f"{report.prelabelled} given a prediction"
        )
        typer.echo(f"Label them: {client.url}/projects/{report.project_id}/data?labeling=1")


@app.command("pull")
def pull_command(folder: DirOption = FOLDER) -> None:
    """Fetch what changed; exit 1 and name the annotations that cannot be used."""
    from rass_bench.annotate.handed_in import ADJUDICATION
    from rass_bench.annotate.initialise import check_begun
    from rass_bench.annotate.project import tasks_path
    from rass_bench.annotate.pull import pull
    from rass_bench.annotate.server import connect

    check_begun(folder)
    refused = False
    with connect(folder) as client:
        for home in (folder, folder / ADJUDICATION):
            if home != folder and not tasks_path(home).is_file():
                continue
            report = pull(client, home)
            _print_pull(report, "" if home == folder else "adjudication: ")
            refused = refused or bool(
                report.refused or report.config_differences or report.unreadable
            )
    if refused:
        raise typer.Exit(1)


@app.command("qa")
def qa_command(
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A segmenter to rank suspicious labels with."),
    ] = None,
    policy: PolicyOption = None,
    workers: WorkersOption = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. [default: qa/ in the project's folder]")
    ] = None,
    folder: DirOption = FOLDER,
) -> None:
    """Measure and judge every photo: pass, fix or adjudicate; write tables and a page."""
    from rass_bench.annotate.assess import write_assessment

    assessment = _assess(folder, policy, workers, None if model is None else _load(model))
    page = write_assessment(folder, out or folder / "qa", assessment, folder.resolve().name)
    _print_assessment(assessment)
    typer.echo(f"Page: {page}")


@app.command("adjudicate")
def adjudicate_command(
    policy: PolicyOption = None, workers: WorkersOption = 1, folder: DirOption = FOLDER
) -> None:
    """Put disputed photos back on the server with every opinion, for a third person."""
    from rass_bench.annotate.adjudicate import adjudicate
    from rass_bench.annotate.server import connect

    assessment = _assess(folder, policy, workers)
    with connect(folder) as client:
        report = adjudicate(client, folder, assessment)
        if report.project_id is None:
            typer.echo("No photo is disputed.")
            return
        typer.echo(
            f"photos that await a decision: {len(report.disputed)}, of them new: {report.added}"
        )
        typer.echo(f"Decide: {client.url}/projects/{report.project_id}/data")


@app.command("build")
def build_command(
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    policy: PolicyOption = None,
    on_error: OnErrorOption = OnError.FAIL,
    workers: WorkersOption = 1,
    folder: DirOption = FOLDER,
) -> None:
    """Write the photos that passed, one mask each, as a data set that `run` can measure on."""
    import shlex

    from rass_bench.annotate.build import build_dataset

    assessment = _assess(folder, policy, workers)
    with progress_bar("build", len(assessment.photos)) as advance:
        report = build_dataset(
            folder,
            assessment,
            out,
            on_error="skip" if on_error is OnError.SKIP else "fail",
            advance=advance,
        )
    manifest = report.manifest
    typer.echo(f"{len(manifest.entries)} photos and masks written to {out}")
    for verdict in report.left_out:
        _tell(f"  left out: {verdict.sample}: {verdict.decision}")
    name = manifest.dataset.partition("@")[0]
    typer.echo(
        f"Measure on them: rass-bench run --dataset {name} --data-root {shlex.quote(str(out))} "
        "--model M"
    )


app.command("import", epilog=annotate_masks.IMPORT_EXAMPLES)(annotate_masks.import_command)
app.command("export", epilog=annotate_masks.EXPORT_EXAMPLES)(annotate_masks.export_command)


def _load(model: str) -> Segmenter:
    from rass_bench.models.catalog import load_segmenter

    return load_segmenter(model)


def _assess(
    folder: Path, policy: Path | None, workers: int, segmenter: Segmenter | None = None
) -> Assessment:
    """Measure and judge a project by its policy, or by another one."""
    from rass_bench.annotate.assess import assess
    from rass_bench.annotate.handed_in import load_photos
    from rass_bench.annotate.initialise import check_begun, policy_path
    from rass_bench.annotate.policy import load_policy

    check_begun(folder)
    gates = load_policy(policy or policy_path(folder))
    with progress_bar("qa", len(load_photos(folder))) as advance:
        return assess(folder, gates, segmenter=segmenter, workers=workers, advance=advance)


def _tell(line: str) -> None:
    """Print a line with words of the server or names of photos, which a terminal must not obey."""
    typer.echo(one_line(line))


def _print_pull(report: PullReport, prefix: str) -> None:
    _tell(
        f"{prefix}{len(report.new)} new, {len(report.changed)} changed, "
        f"{len(report.deleted)} deleted; {len(report.state.usable)} annotations can be used"
    )
    for line in report.config_differences[:SHOWN]:
        _tell(f"  the labelling configuration was changed on the server: {line}")
    for one in report.refused[:SHOWN]:
        _tell(f"  refused: {one.sample}, annotation {one.annotation_id}: {one.problem}")
    for sample, reason in list(report.unreadable.items())[:SHOWN]:
        _tell(f"  not handed out: {sample}: {reason}")
    for sample in report.deleted_tasks[:SHOWN]:
        _tell(f"  the task was deleted on the server: {sample}")
    for number in report.strangers[:SHOWN]:
        _tell(f"  task {number} was not pushed by this project")
    named = (
        report.config_differences,
        report.refused,
        report.unreadable,
        report.deleted_tasks,
        report.strangers,
    )
    hidden = sum(max(0, len(one) - SHOWN) for one in named)
    if hidden:
        _tell(f"  ... and {hidden} more (pull.json)")


def _print_assessment(assessment: Assessment) -> None:
    """Decisions and agreement in numbers, and the photos that did not pass."""
    from rass_bench.annotate.qa.findings import Decision
    from rass_bench.annotate.qa.overview import summarise

    overview = summarise(assessment.measures, assessment.verdicts, assessment.space)
    typer.echo(", ".join(f"{count} {kind}" for kind, count in overview.decisions.items()))
    agreement = {
        "equal pixels": overview.pixel_agreement,
        "Cohen's kappa": overview.kappa,
        "Krippendorff's alpha": overview.alpha,
        "mean IoU": overview.mean_iou,
        "boundary F1": overview.boundary_f1,
    }
    known = [f"{name} {value:.3f}" for name, value in agreement.items() if value is not None]
    typer.echo("Agreement over all photos: " + (", ".join(known) or "no photo has two annotations"))
    typer.echo("Photos by what was found in them:")
    for check, severity, count in overview.checks:
        typer.echo(f"  {count:5} {check} ({severity})")
    judged = zip(assessment.photos, assessment.verdicts, strict=True)
    waiting = [pair for pair in judged if pair[1].decision is not Decision.PASS]
    for photo, verdict in waiting[:SHOWN]:
        reason = verdict.findings[0]
        task = "" if photo.task_id is None else f" (task {photo.task_id})"
        who = f"{reason.annotator}: " if reason.annotator else ""
        _tell(f"{verdict.decision}: {photo.sample}{task}: {who}{reason.note}")
    if len(waiting) > SHOWN:
        typer.echo(f"... and {len(waiting) - SHOWN} more")
