"""However many resources there are, their metrics take the fewest calls that CloudWatch's limits allow."""

from __future__ import annotations

from pathlib import Path

from tests.survey.crowd import crowded, floor
from tests.survey.platform import REGION, run

COUNT = 60


def test_metric_calls_stay_at_the_floor(tmp_path: Path) -> None:
    with crowded(COUNT) as account:
        code, calls = run(account, ["--regions", REGION, "--out", str(tmp_path), "--no-bill"])
    metric = [each for each in calls if each.operation == "GetMetricData"]
    assert code == 0
    assert len(metric) == floor(metric)
    page = (tmp_path / "dashboard.html").read_text()
    assert "service-0" in page
