"""Samples as the journal stores them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from optimizer.execute.stored_samples import samples_of, samples_text
from optimizer.model.health import Sample

BEGIN = datetime(2027, 1, 25, 10, 10, tzinfo=UTC)
SAMPLES = (
    Sample(BEGIN, 8125.0, 1.0, None, 180.90798585294345, target_4xx=134.0),
    Sample(BEGIN + timedelta(minutes=10), None, None, 12.0, None, rejected=3.0, connection_errors=0.0),
)


def text_with(**columns: object) -> str:
    return json.dumps(json.loads(samples_text(SAMPLES)) | columns)


@pytest.mark.parametrize("samples", [SAMPLES, SAMPLES[:1], ()])
def test_what_is_read_is_what_was_written(samples: tuple[Sample, ...]) -> None:
    assert samples_of(samples_text(samples)) == samples


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        text_with(requests=[1.0]),
        text_with(requests=["many", None]),
        text_with(at=[None, None]),
        text_with(latency=[1.0, 2.0]),
    ],
)
def test_half_of_it_is_nothing(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- whatever is wrong, the journal names the item
        samples_of(text)
