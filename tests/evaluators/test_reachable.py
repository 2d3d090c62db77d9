import re

import pytest
import torch

from vitruvius.core.errors import TargetError
from vitruvius.evaluators.reachable import check_reachable
from vitruvius.evaluators.targets import exact_metrics, parse_targets
from vitruvius.spaces import Space, space


def check(served: Space, target: str) -> None:
    check_reachable(served, parse_targets(target, exact_metrics(served)), served.statistics)


@pytest.mark.parametrize("target", ["params<=10", "params>=1e12", "depth>=1000"])
@pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3"])
def test_a_target_beyond_the_whole_space_is_refused(name: str, target: str) -> None:
    with pytest.raises(TargetError, match="cannot be met"):
        check(space(name), target)


def test_bounds_found_in_a_large_space_are_the_true_ones() -> None:
    """The descent ends at the smallest network there is: every choice at its smallest."""
    nets = space("mobilenetv3")
    smallest = torch.zeros(1, len(nets.variables), dtype=torch.long)
    least = float(nets.statistics(smallest)["params"])
    with pytest.raises(TargetError, match=re.escape(f"{least:.6g}")):
        check(nets, f"params<={least - 1}")
    check(nets, f"params<={least}")
