"""docs/foundation.md shows the content of the templates."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cloudformation.assembly import Assembly, read_assembly
from pipeline.diagram import BEGIN, DOCUMENT, END, drawing

pytestmark = pytest.mark.xdist_group("pipeline")  # one synthesis for all of them


@pytest.fixture(scope="module")
def read(assembly: Path) -> Assembly:
    return read_assembly(assembly)


def test_the_document_is_not_stale(read: Assembly) -> None:
    shown = DOCUMENT.read_text().split(BEGIN)[1].split(END)[0].strip()
    assert shown == drawing(read), "run: python app.py && python -m pipeline.diagram cdk.out"


def test_every_stack_is_drawn_with_its_place(read: Assembly) -> None:
    drawn = drawing(read)
    for stack in read.stacks:
        place = drawn.split(f'subgraph "{stack.account} · {stack.region}"')[1].split("\n  end")[0]
        assert f'["{stack.name}"]\n      ' in place, "with something in it"


def test_a_changed_template_changes_the_drawing(read: Assembly) -> None:
    primary = read.stack("tap-primary")
    resources = {
        id: each for id, each in primary.template["Resources"].items() if each["Type"] != "AWS::RDS::GlobalCluster"
    }
    smaller = dataclasses.replace(primary, template={**primary.template, "Resources": resources})
    changed = dataclasses.replace(read, stacks=tuple(smaller if each is primary else each for each in read.stacks))
    assert "replicates" in drawing(read)
    assert "replicates" not in drawing(changed)
