"""The command line, `lpff-ray VERB`: what verbs there are, and how a run of it ends."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from importlib import metadata

import click

from lpff_ray.cli.verb import VerbGroup
from lpff_ray.errors import Unavailable, UserError
from lpff_ray.monitoring.interrupt import INTERRUPTED
from lpff_ray.monitoring.log import configure
from lpff_ray.monitoring.wording import escaped
from lpff_ray.storage.redaction import redacted_text

VERBS = {
    "doctor": "lpff_ray.cli.verbs.doctor:doctor",
    "demo": "lpff_ray.cli.verbs.demo:demo",
    "plan": "lpff_ray.cli.verbs.plan:plan",
    "mine": "lpff_ray.cli.verbs.mine:mine",
    "rebuild": "lpff_ray.cli.verbs.rebuild:rebuild",
    "status": "lpff_ray.cli.verbs.status:status",
    "compact": "lpff_ray.cli.verbs.compact:compact",
    "dedupe": "lpff_ray.cli.verbs.dedupe:dedupe",
    "select": "lpff_ray.cli.verbs.select:select",
    "review": "lpff_ray.cli.verbs.reports.review:review",
    "export": "lpff_ray.cli.verbs.datasets.export:export",
    "push": "lpff_ray.cli.verbs.datasets.push:push",
    "sheet": "lpff_ray.cli.verbs.reports.sheet:sheet",
    "report": "lpff_ray.cli.verbs.reports.report:report",
    "evaluate": "lpff_ray.cli.verbs.datasets.evaluate:evaluate",
    "models": "lpff_ray.cli.verbs.models:models",
}
"""Every verb, in the order in which a user meets them: `module:attribute`, imported when it is used."""

UNAVAILABLE = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong, the same command goes on later
log = logging.getLogger(__name__)


def _version() -> str:
    try:
        return metadata.version("lpff-ray")
    except metadata.PackageNotFoundError:  # run from its source, not installed
        return "of a folder of its source"


app = VerbGroup(
    "lpff-ray",
    targets=VERBS,
    help="Mine faces with pose, quality and identity out of large video collections.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(_version(), prog_name="lpff-ray")(app)


def main() -> None:
    """Run the command line; a UserError becomes one line on stderr and exit code 2, Unavailable one and 75."""
    try:
        configure("WARNING")
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, which no table needs
        _go_to_callers_folder()
        code = app.main(
            prog_name="lpff-ray", standalone_mode=False
        )  # errors are raised, ctx.exit's code returned
        sys.exit(code if isinstance(code, int) else 0)
    except Unavailable as error:
        log.debug("the traceback of this error", exc_info=True)
        print(f"lpff-ray: {error}", file=sys.stderr)
        sys.exit(UNAVAILABLE)
    except UserError as error:
        log.debug("the traceback of this error", exc_info=True)
        print(f"lpff-ray: {escaped(redacted_text(str(error)))}", file=sys.stderr)
        sys.exit(2)
    except click.ClickException as error:
        _print_usage_error(error)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        print("lpff-ray: interrupted; run the same command to go on", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _go_to_callers_folder() -> None:
    """In a job submitted by run_cluster.sh, relative paths are its caller's."""
    folder = os.environ.get("LPFF_RAY_CWD")
    try:
        if folder:
            os.chdir(folder)
    except OSError:
        raise UserError(f"{folder}: the folder this job was submitted from is not on this node") from None


def _print_usage_error(error: click.ClickException) -> None:
    """One line for a wrong verb, option or argument."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, click.NoSuchOption):  # click's own words differ from version to version
        near = f"; did you mean {' or '.join(error.possibilities)}?" if error.possibilities else ""
        message = f"No such option: {error.option_name}{near}"
    command = context.command_path if context else "lpff-ray"
    print(f"lpff-ray: {escaped(redacted_text(message))}; see {command} --help", file=sys.stderr)


if __name__ == "__main__":
    main()
