"""Many results at once: all are taken, or the one that is wrong is named."""

from pathlib import Path

import pytest

from vitruvius.bo.store.external import parse_results
from vitruvius.core.errors import ArchitectureError, UsageError, VitruviusError
from vitruvius.evaluators.metric import metric_of
from vitruvius.spaces import space
from vitruvius.verbs.labels import finished_labels
from vitruvius.verbs.search import new_search

CELLS = space("nasbench201")
A, B = (CELLS.to_string(row) for row in ((3, 3, 3, 1, 3, 2), (1, 0, 2, 3, 4, 1)))


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("rubbish,5,", ArchitectureError),
        (f"{B},,3", UsageError),
    ],
)
def test_a_wrong_result_among_many_is_named_and_nothing_is_kept(
    row: str, kind: type[VitruviusError]
) -> None:
    made = new_search("nasbench201", maximize="top1", method="random")
    made.ask(1)
    asked = CELLS.to_string(made.log.read()[0].trial.proposal.row)
    results = parse_results(f"architecture,top1,loss\n{asked},9,1\n{A},7,1\n{row}")
    with pytest.raises(kind, match=r"Result 2"):
        made.tell_all(results)
    assert not any(entry.trial.done for entry in made.log.read())
    assert made.tell_all(results[:2])["told"] == 2


def test_positions_count_what_is_left_out() -> None:
    text = f"""[{{"architecture": "{A}", "status": "running"}},
        {{"architecture": "rubbish", "metrics": {{"top1": 1}}}}]"""
    made = new_search("nasbench201", maximize="top1", method="random")
    with pytest.raises(ArchitectureError, match=r"^Result 1: "):
        made.tell_all(parse_results(text))


def test_labels_from_a_file_name_the_result_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(f"architecture,top1\n{A},7\nrubbish,5\n")
    with pytest.raises(ArchitectureError, match=r"^Result 1: "):
        finished_labels(CELLS, file, {"top1": metric_of("top1")})
