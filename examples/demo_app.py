"""A page to try the score on: drop two files, see the score over time, hear them. `python examples/demo_app.py`.

Needs the extra [demo]: `pip install 'cocola-metric[demo]'`. Nothing leaves the machine.
"""

import argparse
import math
from functools import cache
from pathlib import Path

import gradio
import numpy as np
import pandas as pd

from cocola_metric import CocolaError, CocolaScorer, WindowScores, examples
from cocola_metric.audio import SAMPLE_RATE, read_audio
from cocola_metric.reading import sentence

HERE = Path(__file__).parent
SYSTEM_FONTS = ("system-ui", "sans-serif")
USUAL_SCORES = (0.0, 25.0)
"""Range of the picture, where the scores do not leave it."""
HOW_HIGH = "https://github.com/cocola-metric/cocola-metric/blob/main/docs/metric.md#how-high-is-high"
ABOUT = f"""# Does this accompaniment fit this music?

Drop the music and an accompaniment. The score is the mean over windows of 5 s; higher fits better.
[How to read it]({HOW_HIGH})."""
STYLE = "code { white-space: normal; overflow-wrap: anywhere; }"


@cache
def scorer() -> CocolaScorer:
    """Return the scorer, which is loaded once."""
    return CocolaScorer.from_pretrained()


def score(music: str | None, accompaniment: str | None) -> tuple[str, gradio.LinePlot, tuple[int, np.ndarray]]:
    """Return the score in words, its picture over time, and both sounds together.

    Args:
        music: path of the music.
        accompaniment: path of the accompaniment.

    Raises:
        Error: a file is missing or cannot be scored, in words for the page.
    """
    if not music or not accompaniment:
        raise gradio.Error("Drop two files: the music, and the accompaniment.", print_exception=False)
    try:
        windows = scorer().score_windows(music, accompaniment)
        sides = [np.asarray(read_audio(Path(side))) for side in (music, accompaniment)]
    except CocolaError as error:
        raise gradio.Error(str(error), print_exception=False) from error
    length = min(map(len, sides))
    together = sides[0][:length] + sides[1][:length]
    total = "no score: in every window one side is silent" if math.isnan(windows.mean) else f"score {windows.mean:.2f}"
    reading = [] if windows.reading is None else [sentence(windows.reading)]
    lines = [
        f"# {total}",
        *reading,
        *(f"**{suspicion}**" for suspicion in windows.suspicions),
        f"`{scorer().signature}`",
    ]
    mix = (SAMPLE_RATE, (32_767 * together / max(1.0, np.abs(together).max())).astype(np.int16))
    return "\n\n".join(lines), picture(windows, length / SAMPLE_RATE), mix


def picture(windows: WindowScores, seconds: float) -> gradio.LinePlot:
    """Return the score of every window at its middle, over the time of the music."""
    table = pd.DataFrame(
        {
            "time (s)": [start + scorer().plan.window / 2 for start in windows.starts],
            "score": windows.scores,
        }
    )
    heard = [value for value in windows.scores if not math.isnan(value)]
    limits = [min(USUAL_SCORES[0], *heard), max(USUAL_SCORES[1], *heard)] if heard else list(USUAL_SCORES)
    return gradio.LinePlot(table, x_lim=[0, seconds], y_lim=limits)


def build() -> gradio.Blocks:
    """Return the page."""
    songs = examples()
    bass = str(songs.conditioning[1])
    with gradio.Blocks(title="COCOLA score", analytics_enabled=False) as page:
        gradio.Markdown(ABOUT)
        with gradio.Row():
            music, accompaniment = (
                gradio.Audio(
                    label=side, type="filepath", sources=["upload"], min_width=320, editable=False, buttons=["download"]
                )
                for side in ("music", "accompaniment")
            )
        gradio.Examples(
            [[bass, str(songs.accompaniment)], [bass, str(HERE / "lantern" / "bass.flac")]],
            [music, accompaniment],
            example_labels=["bass and keys of one song", "bass, and the bass of another song"],
            label="Or listen to these first",
        )
        button = gradio.Button("Score", variant="primary")
        words = gradio.Markdown()
        plot = gradio.LinePlot(x="time (s)", y="score", height=260, label="score over time (s)", show_label=True)
        together = gradio.Audio(label="both together", type="numpy", interactive=False, buttons=["download"])
        button.click(score, [music, accompaniment], [words, plot, together])
    return page


def launch(page: gradio.Blocks, *, port: int | None = None, wait: bool = True) -> str:
    """Serve the page on this machine alone, without anything from the web; return its address.

    Args:
        page: page to serve.
        port: port; None takes a free one from 7860 on.
        wait: True serves until the program is interrupted.
    """
    theme = gradio.themes.Default(font=SYSTEM_FONTS, font_mono=("ui-monospace", "monospace"))
    _, address, _ = page.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        prevent_thread_lock=not wait,
        quiet=not wait,
        theme=theme,
        css=STYLE,
        footer_links=[],
    )
    return str(address)


def main(arguments: list[str] | None = None) -> None:
    """Serve the page until it is interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, help="port (default: a free one from 7860 on)")
    launch(build(), port=parser.parse_args(arguments).port)


if __name__ == "__main__":
    main()
