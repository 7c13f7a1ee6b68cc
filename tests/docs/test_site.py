"""The site is built without a warning and without a network, and a broken link stops the build."""

import re
import socket
from pathlib import Path

import pytest

from tools import site

config = pytest.importorskip("mkdocs.config", reason="mkdocs is not installed; run pip install 'cocola-metric[docs]'")
pytest.importorskip("material", reason="mkdocs-material is not installed; run pip install 'cocola-metric[docs]'")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed; run pip install 'cocola-metric[docs]'")

ROOT = Path(__file__).parents[2]
OUTSIDE = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*src=["']?https?:|<link[^>]*stylesheet[^>]*href=["']?https?:"""
)


def build(monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
    from mkdocs.commands.build import build as build_site

    def refuse(*_: object) -> None:
        raise AssertionError("the build connects")

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    build_site(config.load_config(str(ROOT / "mkdocs.yml"), **settings))


def test_the_site_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(monkeypatch, site_dir=str(tmp_path))
    pages = {file.relative_to(tmp_path).as_posix(): file.read_text("utf-8") for file in tmp_path.rglob("*.html")}
    sources = {
        file.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for file in (ROOT / "docs").rglob("*.md")
    }
    assert {name.replace("README.html", "index.html") for name in sources} <= set(pages)
    assert not [name for name, page in pages.items() if OUTSIDE.search(page)]
    assert 'data-md-component="source"' not in pages["index.html"]  # which would ask api.github.com
    scorer = pages["api/scorer.html"]
    for name in ("from_pretrained", "score", "similarity_matrix", "push_to_hub"):
        assert f'id="cocola_metric.CocolaScorer.{name}"' in scorer
    assert "Embed two lists" not in scorer and "conditioning" in scorer
    assert f'href="{site.REPOSITORY}/blob/main/CHANGELOG.md"' in pages["index.html"]
    assert 'href="metric.html#in-a-training-loop"' in pages["howto/score.html"].replace("../", "")


def test_a_broken_link_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mkdocs.exceptions import Abort

    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "index.md").write_text("# One\n\n[two](two.md), [itself](#nowhere)\n")
    with pytest.raises(Abort, match="2 warnings"):
        build(monkeypatch, docs_dir=str(pages), site_dir=str(tmp_path / "site"), nav=[{"One": "index.md"}], plugins=[])


def test_links_that_leave_the_documents_lead_to_the_repository() -> None:
    text = (
        "[a](../README.md#citing) [b](../nowhere.md) [c](metric.md) [d](recorded_songs/SHA256SUMS) [e](table3) [f](#b)"
    )
    address = site.REPOSITORY
    assert site.outward(text, ROOT / "docs") == (
        f"[a]({address}/blob/main/README.md#citing) [b](../nowhere.md) [c](metric.md) "
        f"[d]({address}/blob/main/docs/recorded_songs/SHA256SUMS) [e]({address}/tree/main/docs/table3) [f](#b)"
    )
