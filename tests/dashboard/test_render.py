"""One file, small enough, without network requests and other people's scripts."""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs_version

from optimizer.dashboard.compose.page import view_of
from optimizer.dashboard.figures import style as frame
from optimizer.dashboard.render import PLOTLY, asset, charts_of, embedded, render, write_dashboard
from tests.dashboard import made_histories as made
from tests.dashboard.page import Page

LIMIT = 2_000_000  # bytes: what a mail or a chat still shows inline
SECTIONS = {
    "answer",
    "decisions",
    "costs",
    "savings",
    "risks",
    "windows",
    "load",
    "tenants",
    "excluded",
    "events",
    "plan",
}


@cache
def page(name: str) -> Page:
    return Page(render(view_of(made.ALL[name]())))


@pytest.mark.parametrize("name", [*made.ALL, "many"])
def test_the_file_is_small_and_whole(name: str, tmp_path: Path) -> None:
    path = write_dashboard(getattr(made, name)(), tmp_path / "out")
    assert path == tmp_path / "out" / "dashboard.html"
    assert path.stat().st_size <= LIMIT
    assert {value for key, value in Page(path.read_text()).attributes if key == "id"} >= SECTIONS


@pytest.mark.parametrize("name", made.ALL)
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    shown = page(name)
    loading = [value for key, value in shown.attributes if key in {"src", "href", "srcset", "action", "data", "poster"}]
    assert all(value.startswith("#") for value in loading)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(shown.tags)
    assert not re.search(r"url\(|@import", asset("dashboard.css"))


def test_hostile_text_stays_text() -> None:
    hostile, friendly = page("hostile"), page("rolled_back")
    own = len(charts_of(view_of(made.hostile()))) + 3  # the figures' data, the tokens, and the two that run
    assert hostile.tags.count("script") == own
    assert set(hostile.tags) == set(friendly.tags)
    assert not [key for key, _ in hostile.attributes if key.startswith("on")]
    words = "".join(hostile.words)
    assert "</script><script>document.title='owned'</script>" in words  # shown as it is, as text
    assert "\u202e" not in words  # what turns the reading direction is shown as a sign
    for text in hostile.data:
        json.loads(text)


def test_json_cannot_end_its_element() -> None:
    value = {"a": "</script><!--", "b": "\u2028&"}
    text = embedded(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_only_the_pages_own_scripts_may_run() -> None:
    text = render(view_of(made.accepted()))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    shown = policy[1].replace("&#39;", "'")
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in (asset(PLOTLY), asset("dashboard.js"))
    }
    assert set(re.findall(r"'sha256-[^']*'", shown)) == hashes
    assert "unsafe-inline" not in shown.split("script-src")[1].split(";")[0]
    assert "default-src 'none'" in shown


def test_the_bundle_is_plotlys_own_version_with_its_licence() -> None:
    bundle = asset(PLOTLY)
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}" in bundle[:200]
    assert "Licensed under the MIT license" in bundle[:300]
    for name in (PLOTLY, "dashboard.js"):
        assert "</script" not in asset(name).lower()


def test_every_token_has_a_colour_in_light_and_dark() -> None:
    light, dark = asset("dashboard.css").split("@media (prefers-color-scheme: dark)", 1)
    dark = dark.split("* { box-sizing", 1)[0]
    for name in frame.TOKENS.values():
        assert f"{name}: #" in light
        assert f"{name}: #" in dark


def test_every_cell_of_the_progress_table_and_every_criterion_is_on_the_page() -> None:
    view = view_of(made.rolled_back())
    words = page("rolled_back").text
    for row in view.decisions:
        for text in (row.title, row.resource, row.decision.text, row.state.text, row.window, row.assessment.text):
            assert text in words
        for text in (row.saving, row.saving_note, row.undo, row.criteria_summary):
            assert text in words
        for criterion in row.criteria:
            for text in (criterion.name, criterion.observed, criterion.comparison, criterion.limit, criterion.source):
                assert text in words


def test_every_chart_has_its_data_and_its_words() -> None:
    view = view_of(made.accepted())
    shown = page("accepted")
    ids = {value for key, value in shown.attributes if key == "id"}
    figures = {value for key, value in shown.attributes if key == "data-figure"}
    assert figures == {f"{name}-data" for name in charts_of(view)}
    assert figures <= ids
    labels = {value for key, value in shown.attributes if key == "aria-label"}
    for each in view.windows:
        assert {each.latency_summary, each.error_summary} <= labels
