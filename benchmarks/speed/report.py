"""Table and figure of the speed, made of the file of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.common.figures import panels, save
from benchmarks.speed.summaries import Record, Spread, chosen, fixed, marginal, newest, spread, values
from pupicker.shared.atomic import write_text

LISTS = ("preprocess", "pick")
TITLES = {"start": "Start of a process", "preprocess": "Preprocessing", "pick": "Picking with a model",
          "train": "Training", "first picks": "First picks without labels", "memory": "Memory with large micrographs",
          "long list": "A long list of small micrographs"}
EXPLAINED = {
    "preprocess": "`floor` reads, transforms, cuts and transforms back, and does nothing else.",
    "pick": "Topaz picks from micrographs that were preprocessed before, which is not counted; `-s` is its factor of"
            " downsampling, `-r` its radius of suppression in the pixels that are left.",
    "train": "Whole command. pupicker finds the length by itself; Topaz trained for the processor seconds that"
             " `label_efficiency` gives it, and what its own 10,000 updates would take follows from that.",
    "first picks": "One micrograph, with the start of the process; Topaz: `preprocess` and `extract` with the network"
                   " that it takes by default.",
    "memory": "Readers work on a micrograph each; Topaz takes one after the other, and got one.",
}
OWN_COLOUR = "#d62728"
COLOURS = ("#1f77b4", "#2ca02c", "#9ecae1", "#98df8a", "#9467bd", "#7f7f7f")


def write_report(content: dict[str, Any], path: Path) -> None:
    """Write ``path.md`` and ``path.png``; what was measured with older versions of a program does not count."""
    runs = newest(content["runs"])
    text = markdown(content, runs)
    write_text(path.with_suffix(".md"), text)
    draw(runs, path.with_suffix(".png"))
    print(text)


def markdown(content: dict[str, Any], runs: list[Record]) -> str:
    """A table for each part, and what they rest on."""
    lines = ["# Speed", "",
             "Made by `python -m benchmarks.speed --report`. Processor seconds (user and system) and peak memory of"
             " whole processes on one thread: median (smallest–largest). A micrograph: the difference of two lists of"
             " micrographs divided by that of their lengths. `AP`: average precision of all candidates on the test"
             " micrographs. The last column: how many times what pupicker takes.", ""]
    for part, title in TITLES.items():
        own = [run for run in runs if run["part"] == part]
        if not own:
            continue
        lines += [f"## {title}", ""]
        lines += [EXPLAINED[part], ""] if part in EXPLAINED else []
        if part == "long list":
            lines += [line for run in own for line in told(run)]
        else:
            lines += table(LISTS_HEAD if part in LISTS else TRAIN_HEAD if part == "train" else ONCE_HEAD,
                           rows(part, own, runs))
        lines.append("")
    machine = content["machine"]
    versions = sorted({f"{'Topaz' if run['program'].startswith('topaz') else 'pupicker'} {run['version']}"
                       for run in runs})
    loads = [run["load_average"] for run in runs]
    lines += [f"Machine: {machine['processor']}, {machine['cores']} cores, torch {machine['torch']}, load"
              f" {min(loads, default=0)} to {max(loads, default=0)}. Versions: {', '.join(versions)}. Commands:"
              f" {'; '.join(f'`{command}`' for command in content['commands'])}."]
    return "\n".join(lines) + "\n"


ONCE_HEAD = ("set", "program", "CPU s", "wall s", "MB", "AP", "× pupicker")
LISTS_HEAD = ("set", "program", "CPU s, a micrograph", "CPU s, process", "micrographs", "CPU s", "wall s", "MB", "AP",
              "× pupicker")
TRAIN_HEAD = ("set", "labels", "program", "updates", "CPU s", "wall s", "MB", "AP", "own schedule, CPU s")


def table(head: tuple[str, ...], body: list[list[str]]) -> list[str]:
    """Lines of Markdown, without columns in which nothing stands."""
    kept = [i for i in range(len(head)) if any(row[i] != "–" for row in body)]
    lines = [" | ".join(row[i] for i in kept) for row in ([*head], ["---"] * len(head), *body)]
    return [f"| {line} |" for line in lines]


def rows(part: str, own: list[Record], runs: list[Record]) -> list[list[str]]:
    """One for each set and program, and number of labels."""
    out = []
    for name in dict.fromkeys(run["set"] for run in own):
        there = [run for run in own if run["set"] == name]
        for program in dict.fromkeys(run["program"] for run in there):
            these = [run for run in there if run["program"] == program]
            if part == "train":
                out += [_training(name, program, chosen(these, count=labels))
                        for labels in sorted({run["count"] for run in these})]
            elif part in LISTS:
                out.append(_list(part, name, program, these, there, runs))
            else:
                out.append(_once(part, name, program, these, there, runs))
    return sorted(out, key=lambda row: (row[0], int(row[1]))) if part == "train" else out


def _once(
    part: str, name: str, program: str, these: list[Record], there: list[Record], runs: list[Record]
) -> list[str]:
    first = spread(values([run for run in there if run["program"] == "pupicker"], "cpu_s"))
    cpu = spread(values(these, "cpu_s"))
    own = "pupicker, general model" if part == "first picks" and program == "pupicker" else program
    return [name, program, _text(cpu, 2), _text(spread(values(these, "wall_s")), 2),
            _text(spread(values(these, "rss_mb")), 0), _accuracy(runs, name, own), _times(cpu, first, program)]


def _list(
    part: str, name: str, program: str, these: list[Record], there: list[Record], runs: list[Record]
) -> list[str]:
    most = max(run["count"] for run in these)
    whole, one = chosen(these, count=most), marginal(these, "cpu_s")
    first, process = marginal([run for run in there if run["program"] == "pupicker"], "cpu_s"), fixed(these, "cpu_s")
    return [name, program, _text(one, 3), "–" if process is None else f"{process:.2f}", str(most),
            _text(spread(values(whole, "cpu_s")), 2), _text(spread(values(whole, "wall_s")), 2),
            _text(spread(values(whole, "rss_mb")), 0), _accuracy(runs, name, program) if part == "pick" else "–",
            _times(one, first, program)]


def _training(name: str, program: str, these: list[Record]) -> list[str]:
    field = [spread(values(these, key)) for key in ("updates", "cpu_s", "wall_s", "rss_mb", "average_precision",
                                                    "own_schedule_cpu_s")]
    digits = (0, 1, 1, 0, 3, 0)
    return [name, str(these[0]["count"]), program, *(_text(f, d) for f, d in zip(field, digits, strict=True))]


def _text(value: Spread | None, digits: int) -> str:
    return "–" if value is None else value.text(digits)


def _times(value: Spread | None, first: Spread | None, program: str) -> str:
    if value is None or first is None or program == "pupicker" or first.median <= 0:
        return "–"
    times = value.median / first.median
    return f"{times:.0f}" if times >= 9.5 else f"{times:.2g}"


def _accuracy(runs: list[Record], name: str, program: str) -> str:
    return _text(spread(values(runs, "average_precision", part="accuracy", set=name, program=program)), 3)


def told(run: Record) -> list[str]:
    """What is said of a long list."""
    def of(name: str) -> str:
        return "–" if run[name] is None else f"{run[name]:g}"

    return [f"{run['count']} micrographs, {run['program']}: {of('wall_s')} s, {of('cpu_s')} processor seconds; busy"
            f" were {run['busy_share']:.0%} of the cores, {run['busy_share_after_start'] or 0:.0%} after the first"
            f" table. Peak memory {of('rss_mb')} MB; on average {of('first_tenth_rss_mb')} MB in the first tenth of the"
            f" micrographs, {of('last_tenth_rss_mb')} MB in the last. The first tenth took {of('first_tenth_wall_s')} s"
            f" ({of('first_tenth_cpu_s')} processor seconds), the last {of('last_tenth_wall_s')} s"
            f" ({of('last_tenth_cpu_s')})."]


def draw(runs: list[Record], path: Path) -> None:
    """Seconds a micrograph, training against accuracy, memory over time: a panel for each that was measured."""
    drawings = [(kind, [run for run in runs if run["part"] == part]) for kind, part in (
        (_draw_lists, "preprocess"), (_draw_lists, "pick"), (_draw_training, "train"), (_draw_long, "long list"))]
    drawings = [(kind, own) for kind, own in drawings if own]
    if not drawings:
        return
    figure, grid = panels(1, len(drawings), (4.2 * len(drawings), 3.8))
    for axes, (kind, own) in zip(grid[0], drawings, strict=True):
        kind(axes, own)
        axes.title.set_fontsize(10)
    save(figure, path)


def _draw_lists(axes: Any, own: list[Record]) -> None:
    names, programs = (list(dict.fromkeys(run[key] for run in own)) for key in ("set", "program"))
    kinds = list(dict.fromkeys(program.split(",")[0] for program in programs))
    for place, name in enumerate(names):
        there = [p for p in programs if any(run["set"] == name and run["program"] == p for run in own)]
        for number, program in enumerate(there):
            one = marginal([run for run in own if run["set"] == name and run["program"] == program], "cpu_s")
            if one is None or one.median <= 0:
                continue
            at, kind = place + 0.8 * (number + 0.5) / len(there) - 0.4, program.split(",")[0]
            axes.bar(at, one.median, 0.75 / len(there), color=_colour(kind, kinds),
                     label=kind if kind not in axes.get_legend_handles_labels()[1] else None)
            axes.plot([at, at], [max(one.low, 1e-6), one.high], color="black", linewidth=1)
    axes.set(yscale="log", title=TITLES[own[0]["part"]], ylabel="processor seconds a micrograph")
    axes.set_xticks(range(len(names)), names)
    axes.grid(alpha=0.3, axis="y")
    axes.legend(frameon=False, fontsize=8)


def _colour(program: str, programs: list[str]) -> str:
    """The one of pupicker, or one of the others in their order."""
    others = [name for name in programs if name != "pupicker"]
    return OWN_COLOUR if program == "pupicker" else COLOURS[others.index(program) % len(COLOURS)]


def _draw_training(axes: Any, own: list[Record]) -> None:
    programs, markers = list(dict.fromkeys(run["program"] for run in own)), "os^Dv"
    names = list(dict.fromkeys(run["set"] for run in own))
    for run in own:
        axes.plot(run["cpu_s"], run["average_precision"], markers[names.index(run["set"]) % len(markers)],
                  color=_colour(run["program"], programs),
                  markersize=4 if run["count"] < max(r["count"] for r in own) else 7)
    for program in programs:
        axes.plot([], [], "o", color=_colour(program, programs), label=program)
    for index, name in enumerate(names):
        axes.plot([], [], markers[index % len(markers)], color="grey", label=name)
    axes.set(xscale="log", title="Training (large: more labels)", xlabel="processor seconds",
             ylabel="average precision")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


def _draw_long(axes: Any, own: list[Record]) -> None:
    seconds, _, memory, done = zip(*own[-1]["curve"], strict=True)
    axes.plot(seconds, memory, color=OWN_COLOUR, label="memory")
    axes.set(title=TITLES["long list"], xlabel="seconds", ylabel="MB", ylim=(0, None))
    other = axes.twinx()
    other.plot(seconds, done, color=COLOURS[0], label="finished")
    other.set_ylabel("finished micrographs")
    axes.grid(alpha=0.3)
    figure_lines = [*axes.get_lines(), *other.get_lines()]
    axes.legend(figure_lines, [line.get_label() for line in figure_lines], frameon=False, fontsize=8, loc="lower right")
