"""Reports: one page that says what a run, samples or several runs came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.metadata import version
from pathlib import Path

from ..bo.store.run import FILE
from ..core.errors import UsageError
from ..core.torch_state import own_torch_state
from ..reports import write_text
from ..reports.page import Section, page
from .compared_report import compared_headline, compared_sections, runs_in
from .design import RUN
from .run_evidence import evidence_sections
from .run_report import run_headline, run_sections
from .run_told import RunTold
from .sample_report import SamplesTold, sample_headline, sample_sections

__all__ = ["Report", "report", "report_of_run"]


@dataclass(frozen=True, repr=False)
class Report:
    """A page, as text; a notebook shows it in a frame of its own.

    Args:
        title: Its first heading.
        headline: The answer.
        html: The page.
        file: Where it was written; None where it was not.
    """

    title: str
    headline: str
    html: str
    file: Path | None = None

    def __repr__(self) -> str:
        return f"Report({self.title}: {self.headline})"

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 40rem; border: 1px solid #C9D1D9"
        page = escape(self.html)
        return f'<iframe title="{escape(self.title)}" style="{style}" srcdoc="{page}"></iframe>'


@own_torch_state()
def report(
    what: str | Path,
    *,
    out: str | Path | None = None,
    storage: str | None = None,
    evidence: bool = True,
) -> Report:
    """Sums up a run, samples, or the runs of a folder, in one HTML file that needs nothing else.

    Of a run: the answer first, the best with their drawings and code, how the search went, whether
    the predictor can be trusted, what the best have in common, every trial, what failed, and the
    command. Of samples (the folder of ``vitruvius sample --out``): what was wanted and what was
    got. Of several runs: their best so far by method, with bands over seeds.

    Args:
        what: Folder of a run or a design, with ``storage`` the run's name there; of samples; or one
            that holds runs.
        out: The file; by default nothing is written.
        storage: As for `vitruvius.search`.
        evidence: Whether predictors are fitted to tell how far they can be trusted, which takes
            some seconds.

    Raises:
        UsageError: Where nothing that can be reported is there.
        OutputError: Where the file cannot be written.

    Example:
        >>> import tempfile
        >>> from vitruvius.verbs.search import new_search
        >>> made = new_search("nasbench201", maximize="accuracy", run=tempfile.mkdtemp())
        >>> made.tell((3,) * 6, {"accuracy": 93.0}).number
        0
        >>> report(made.log.run.location).headline
        'After 1 prior result, the best architecture has accuracy 93.'
    """
    made = _report(what, storage, evidence)
    if out is None:
        return made
    write_text(out, made.html)
    return replace(made, file=Path(out))


def report_of_run(told: RunTold, evidence: Sequence[Section] = (), *, live: str = "") -> Report:
    """Makes the report of a run.

    Args:
        told: The run.
        evidence: As for `run_sections`.
        live: As for `vitruvius.reports.page.page`.
    """
    name = Path(str(told.run.location)).name or str(told.run.location)
    title = f"{name}: {told.config.space}"
    return _written(title, run_headline(told), run_sections(told, evidence), live=live)


def _report(what: str | Path, storage: str | None, evidence: bool) -> Report:
    folder = Path(what)
    run = folder / RUN if (folder / RUN / FILE).is_file() else folder
    if storage is not None or (run / FILE).is_file():
        told = RunTold.of(what if storage is not None else run, storage)
        return report_of_run(told, evidence_sections(told) if evidence else ())
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}.", "Give that of a run, of samples or of runs."
        )
    if (samples := SamplesTold.of(folder)) is not None:
        title = f"Samples of {samples.summary['space']}"
        return _written(title, sample_headline(samples), sample_sections(samples))
    runs, wrong = runs_in(folder)
    if not runs:
        raise UsageError(
            "; ".join(wrong) or f"{folder} holds neither a run, nor samples, nor runs.",
            "Give the folder of `vitruvius search --run`, or of `vitruvius sample --out`.",
        )
    title = f"{len(runs)} runs in {folder.resolve().name}"
    return _written(title, compared_headline(runs), compared_sections(runs, wrong))


def _written(title: str, headline: str, sections: Sequence[Section], *, live: str = "") -> Report:
    ends = "It follows the run." if live else "This file needs no server."
    footer = f"Written by Vitruvius {version('vitruvius')}. {ends}"
    return Report(title, headline, page(title, headline, sections, live=live, footer=footer))
