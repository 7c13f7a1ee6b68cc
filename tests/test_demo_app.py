"""The demo page: it starts, takes two files, and answers with the score, its picture and both sounds together."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import soundfile

from cocola_metric import CocolaScorer, examples

gradio = pytest.importorskip("gradio", reason="gradio is not installed; run pip install 'cocola-metric[demo]'")
gradio_client = pytest.importorskip("gradio_client", reason="comes with gradio")
APP = Path(__file__).parents[1] / "examples" / "demo_app.py"


@pytest.fixture(scope="module")
def app() -> ModuleType:
    specification = importlib.util.spec_from_file_location("demo_app", APP)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def client(app: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator["gradio_client.Client"]:
    """A client of the page, which is served on this machine; its files stay in the test's folder."""
    folder = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GRADIO_TEMP_DIR", str(folder))
        patched.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        page = app.build()
        address = app.launch(page, wait=False)
        yield gradio_client.Client(address, verbose=False, download_files=folder)
        page.close()


@pytest.mark.filterwarnings("ignore")
def test_the_page_scores_two_files(client: "gradio_client.Client") -> None:
    songs = examples()
    files = [gradio_client.handle_file(str(file)) for file in (songs.conditioning[1], songs.accompaniment)]
    words, picture, together = client.predict(*files, api_name="/score")
    expected = CocolaScorer.from_pretrained(device="cpu").score(songs.conditioning[1], songs.accompaniment)
    assert words.startswith(f"# score {expected:.2f}") and "likely to belong together" in words
    assert "`COCOLA|model:embedded|" in words
    assert len(picture.get("value", picture)["data"]) == 7
    assert soundfile.info(together).duration == 20.0


def test_what_cannot_be_scored_is_said(client: "gradio_client.Client", tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    keys = gradio_client.handle_file(str(examples().accompaniment))
    with pytest.raises(gradio_client.exceptions.AppError, match=r"broken\.wav"):
        client.predict(keys, gradio_client.handle_file(str(broken)), api_name="/score")
    with pytest.raises(gradio_client.exceptions.AppError, match="Drop two files"):
        client.predict(keys, None, api_name="/score")
