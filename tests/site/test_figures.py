"""The figures: committed ones are what lossref draws today, and their alt text says what they show."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from lossref.pagecheck.plugin import all_pages
from tools.figures import FOLDER, differs, main, stale

DOCS = FOLDER.parent
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]*\.svg)[)\s]")
IMAGES = [
    (page, image["alt"], image["target"])
    for page in all_pages(DOCS.parent)
    for image in IMAGE.finditer(page.read_text(encoding="utf-8"))
    if "figures/" in image["target"]
]


def test_committed_figures_are_what_lossref_draws_and_checking_writes_nothing(capsys):
    before = {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.svg")}
    assert main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")
    assert {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.svg")} == before


def test_a_stale_missing_or_orphaned_figure_is_named(tmp_path, monkeypatch):
    drawn = {"fresh": "<svg>损失 1.0</svg>", "old": "<svg>梯度 1.0</svg>", "absent": "<svg/>"}
    monkeypatch.setattr("tools.figures.FIGURES", {name: lambda svg=svg: svg for name, svg in drawn.items()})
    (tmp_path / "fresh.svg").write_text("<svg>损失 1.0</svg>", encoding="utf-8")
    (tmp_path / "old.svg").write_text("<svg>梯度 2.0</svg>", encoding="utf-8")
    (tmp_path / "orphan.svg").write_text("<svg/>", encoding="utf-8")
    assert stale(tmp_path) == [
        "orphan.svg: no function draws it",
        "old.svg: not what lossref draws today",
        "absent.svg: not drawn yet",
    ]


@pytest.mark.parametrize(
    ("other", "different"),
    [
        ('<text>损失</text><path d="10.0,20.0"/>', False),
        ('<text>损失</text><path d="10.1,20.0"/>', False),  # rounded the other way
        ('<text>损失</text><path d="10.2,20.0"/>', True),
        ('<text>损失</text><path d="10.0,20.0 30.0,40.0"/>', True),
        ('<text>梯度</text><path d="10.0,20.0"/>', True),
    ],
)
def test_comparison_forgives_rounding_only(other, different):
    assert differs('<text>损失</text><path d="10.0,20.0"/>', other) is different


def test_every_figure_is_well_formed_and_ids_are_unique_on_a_page():
    ids = []
    for path in sorted(FOLDER.glob("*.svg")):
        root = ElementTree.parse(path).getroot()
        assert root.get("aria-label"), f"{path.name} has no name for a screen reader"
        ids += [element.get("id") for element in root.iter() if element.get("id")]
    assert ids
    assert len(ids) == len(set(ids))


def test_every_figure_is_shown_and_every_image_exists():
    shown = {(page.parent / target).resolve() for page, _, target in IMAGES}
    assert shown == {path.resolve() for path in FOLDER.glob("*.svg")}


@pytest.mark.parametrize(
    ("page", "alt", "target"), IMAGES, ids=[f"{page.stem}-{Path(target).stem}" for page, _, target in IMAGES]
)
def test_alt_text_states_the_finding(page, alt, target):
    sentences = [part for part in re.split("[。；]", alt) if part.strip()]
    assert len(sentences) >= 2, f"{page.name}: the alt text of {target} does not go beyond naming it"
    assert re.search("[\u4e00-\u9fff]{8,}", alt), f"{page.name}: the alt text of {target} is not Chinese"
