"""Draw the results: `python -m benchmarks.pictures RESULTS.json DIRECTORY`.

A program of its own, so that results can be drawn again, and so that no benchmark runs in a
process that holds matplotlib.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmarks.bulk import BulkResult
from benchmarks.footprint import Footprint
from benchmarks.library import IN_FLIGHT
from benchmarks.limiter import LimiterResult
from benchmarks.lineup import PERSONALISED, Entrant
from benchmarks.memory import MEGABYTE, MemoryResult
from benchmarks.pacers import OURS
from benchmarks.results import load

T = TypeVar("T")

INK, GREY = "#333333", "#999999"
BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
"""Of the palette of Okabe and Ito, which colour-blind readers can tell apart."""

WIDTH = 9.0
"""Inches, at 100 dots each."""


@contextmanager
def picture(path: Path, height: float, columns: int = 1) -> Iterator[list[Axes]]:
    """Give axes to draw on, side by side, and write what was drawn."""
    figure, axes = plt.subplots(1, columns, figsize=(WIDTH, height), sharey=True, squeeze=False)
    yield list(axes[0])
    figure.savefig(path)
    plt.close(figure)


def short(value: float, _: object = None) -> str:
    """Write a count with at least two figures: 1.2 M, 45 k, 830."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.2g}{letter}" if scaled < 10 else f"{scaled:.0f}{letter}"
    return f"{value:.0f}"


def throughput(result: BulkResult, path: Path) -> None:
    """Draw what each client sends in a second, with and without latency."""
    colours = {Entrant.MANY: BLUE, Entrant.STREAM: BLUE, Entrant.BARE: INK}
    with picture(path, 4.2, columns=2) as panels:
        entrants = [
            row.entrant
            for row in sorted(result.at(0, IN_FLIGHT).standings, key=lambda row: row.per_second)
            if row.entrant not in PERSONALISED
        ]
        for axes, latency_ms in zip(panels, (0, 20), strict=True):
            cell = result.at(latency_ms, IN_FLIGHT)
            figures = [cell.standing(entrant).per_second for entrant in entrants]
            bars = axes.barh(
                [_name(entrant) for entrant in entrants],
                figures,
                color=[colours.get(entrant, GREY) for entrant in entrants],
                height=0.65,
            )
            axes.bar_label(bars, [short(figure) for figure in figures], padding=4)
            axes.set_xscale("log")
            axes.set_xlim(10, 5e7)
            axes.set_xticks([1e1, 1e3, 1e5, 1e7], minor=False)
            axes.minorticks_off()
            axes.xaxis.set_major_formatter(FuncFormatter(short))
            axes.grid(axis="x")
            axes.tick_params(axis="y", length=0)
            axes.set_xlabel("recipients per second (log scale)")
            where = f"{latency_ms} ms latency" if latency_ms else "no latency"
            axes.set_title(f"{where}, {IN_FLIGHT} in flight")


def latency(result: BulkResult, path: Path) -> None:
    """Draw what requests in flight buy at each latency."""
    colours = {0: BLUE, 20: ORANGE, 50: GREEN}
    with picture(path, 4.6) as (axes,):
        for latency_ms, colour in colours.items():
            cells = [cell for cell in result.contests if cell.latency_ms == latency_ms]
            wide = [cell.in_flight for cell in cells]
            for entrant, line, marker in ((Entrant.MANY, "-", "o"), (Entrant.BARE, ":", "x")):
                axes.plot(
                    wide,
                    [cell.standing(entrant).per_second for cell in cells],
                    linestyle=line,
                    marker=marker,
                    color=colour,
                    label=f"{_name(entrant)}, {latency_ms} ms",
                )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.yaxis.set_major_formatter(FuncFormatter(short))
        axes.grid(which="major")
        axes.set_xlabel("requests in flight")
        axes.set_ylabel("recipients per second (log scale)")
        axes.set_title("Throughput by requests in flight and latency of the service")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def memory(result: MemoryResult, path: Path) -> None:
    """Draw what the largest runs hold as they go on."""
    with picture(path, 4.2) as (axes,):
        for footprint, colour, name in (
            (result.collected[-1], ORANGE, "send_many: the report, and what tells duplicates"),
            (result.streamed[-1], BLUE, 'send_stream, duplicates="send"'),
        ):
            _draw_footprint(axes, footprint, colour, name)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.grid()
        axes.set_xlabel("recipients taken from the source")
        axes.set_ylabel("MB held by Python objects")
        axes.set_title("Memory of a run, without the caller's own recipients")
        axes.legend(loc="upper left")


def worst_second(result: LimiterResult, path: Path) -> None:
    """Draw what each limiter lets through in its worst second."""
    rates = sorted({pace.rate for pace in result.paces})
    names = list(dict.fromkeys(pace.limiter for pace in result.paces))
    colours = dict(zip(names, (BLUE, ORANGE, GREY), strict=False))
    with picture(path, 4.0) as (axes,):
        for place, name in enumerate(names):
            paces = {pace.rate: pace for pace in result.paces if pace.limiter == name}
            bars = axes.bar(
                [column + 0.27 * (place - 1) for column in range(len(rates))],
                [paces[rate].worst_second / rate for rate in rates],
                width=0.25,
                color=colours[name],
                label=name,
            )
            axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=9)
        axes.axhline(1.0, color=INK, linewidth=1, linestyle="--")
        axes.set_xticks(range(len(rates)), [f"{rate:,}" for rate in rates])
        axes.set_ylim(0, 2.4)
        axes.grid(axis="y")
        axes.set_xlabel("allowed requests per second")
        axes.set_ylabel("most requests in any second / allowed")
        axes.set_title("The worst second of a rate limiter, 64 workers")
        axes.legend(loc="upper right", ncols=len(names))


def _draw_footprint(axes: Axes, footprint: Footprint, colour: str, name: str) -> None:
    taken = [sample.recipients for sample in footprint.samples]
    held = [sample.bytes / MEGABYTE for sample in footprint.samples]
    axes.plot(taken, held, color=colour, marker="o", markersize=4, label=name)
    if footprint.kept > MEGABYTE:
        axes.plot(
            taken[-1],
            footprint.kept / MEGABYTE,
            marker="D",
            markersize=8,
            linestyle="none",
            color=colour,
            label="the report alone, when the run has ended",
        )


def _name(entrant: Entrant) -> str:
    ours = entrant in {Entrant.MANY, Entrant.STREAM}
    return f"{OURS} {entrant}" if ours else str(entrant)


def draw(drawing: Callable[[T, Path], None], result: T | None, into: Path) -> None:
    """Draw one picture, if what it shows was measured."""
    if result is not None:
        drawing(result, into / f"{drawing.__name__.replace('_', '-')}.png")


def main(path: Path, into: Path) -> None:
    """Draw all pictures of what was measured."""
    into.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    plt.style.use(Path(__file__).with_suffix(".mplstyle"))
    draw(throughput, load(path, "bulk", BulkResult), into)
    draw(latency, load(path, "bulk", BulkResult), into)
    draw(memory, load(path, "memory", MemoryResult), into)
    draw(worst_second, load(path, "limiter", LimiterResult), into)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
