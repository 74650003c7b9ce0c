"""Table and figure of label_efficiency.py, made from whatever records there are.

A figure is the mean over the draws that are recorded, with the smallest and the largest one and their number; where two
methods are compared, only draws that both have count.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import REAL, SIMULATED
from benchmarks.common.figures import panels, save
from benchmarks.common.runs import RESULTS, Records, pupicker_code
from pupicker.shared.atomic import write_text

TITLES = {
    "pupicker": "pupicker",
    "topaz-conv31": "Topaz conv31, random start",
    "topaz-resnet8": "Topaz resnet8, shipped weights",
    "topaz-chosen": "Topaz, settings chosen on labels left out",
    "topaz-conv31-default": "Topaz conv31, 10,000 updates",
    "topaz-resnet8-default": "Topaz resnet8, 10,000 updates",
}
RIVALS = ("topaz-conv31", "topaz-resnet8", "topaz-chosen")
COLORS = {"pupicker": "#d62728", "topaz-conv31": "#1f77b4", "topaz-resnet8": "#2ca02c", "topaz-chosen": "#000000",
          "topaz-conv31-default": "#9ecae1", "topaz-resnet8-default": "#98df8a"}
#: Average precision to be reached on the real sets, by number of labels.
GOALS = {"apoferritin": {10: 0.995, 50: 0.996, 100: 0.997, 250: 0.997},
         "bgal": {10: 0.82, 50: 0.85, 100: 0.87, 250: 0.88}}

Record = dict[str, Any]


def write_report(records: list[Record], path: Path, code: str | None) -> None:
    """Write ``path.md`` and ``path.png``; of pupicker's records only those of one state of the code count."""
    chosen = of_one_code(records, code)
    if not chosen:
        raise SystemExit("no records yet: python -m benchmarks.label_efficiency run")
    groups = group(chosen)
    write_text(path.with_suffix(".md"), markdown(groups, chosen))
    draw(groups, path.with_suffix(".png"))
    print(path.with_suffix(".md").read_text(encoding="utf-8"))


def of_one_code(records: list[Record], code: str | None = None) -> list[Record]:
    """Without pupicker's records of other states of its code; by default the state of the newest record stays."""
    own = [r for r in records if "code" in r["settings"]]
    if own and code is None:
        code = max(own, key=lambda r: r["finished"])["settings"]["code"]
    return [r for r in records if r["settings"].get("code", code) == code]


def defaults_elsewhere(code: str | None = None) -> list[Record]:
    """Records of label_efficiency.py with a state of the code (the present one), which others name "defaults"."""
    runs = of_one_code(Records(RESULTS / "label_efficiency.jsonl").load(), code or pupicker_code()["code"])
    return [{**r, "method": "defaults"} for r in runs if r["method"] == "pupicker"]


def group(records: list[Record]) -> dict[tuple[str, int], dict[str, dict[int, Record]]]:
    """(set, labels) -> method -> draw -> record, in the order of the sets; the newest record of a draw."""
    names = [*REAL, *SIMULATED]
    out: dict[tuple[str, int], dict[str, dict[int, Record]]] = {}
    for record in sorted(records, key=lambda r: (names.index(r["set"]), r["labels"], r["finished"])):
        methods = out.setdefault((record["set"], record["labels"]), {})
        methods.setdefault(record["method"], {})[record["draw"]] = record
    return out


def average_precisions(runs: dict[int, Record], draws: set[int] | None = None, field: str = "average_precision"
                       ) -> list[float]:
    """One for each draw whose record has the field."""
    return [runs[d][field] for d in sorted(runs) if (draws is None or d in draws) and field in runs[d]]


def better_rival(methods: dict[str, dict[int, Record]]) -> dict[int, Record]:
    """Runs of the Topaz variant with the higher mean over the draws that pupicker has too."""
    own = set(methods.get("pupicker", {}))
    shared = [{d: r for d, r in methods.get(m, {}).items() if d in own} for m in RIVALS]
    return max(filter(None, shared), key=lambda runs: statistics.mean(average_precisions(runs)), default={})


def cell(values: list[float]) -> str:
    """Mean, range, number of draws."""
    if not values:
        return "–"
    spread = f" ({min(values):.3f}–{max(values):.3f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}, {len(values)}"


def best_moment(methods: dict[str, dict[int, Record]]) -> str:
    """The better Topaz, each run at the best of the moments that were scored."""
    values = [[max(r.get("average_precision_by_updates", {}).values(), default=r["average_precision"])
               for r in methods[m].values()] for m in RIVALS if m in methods]
    return cell(max(values, key=statistics.mean, default=[]))


def comparison(methods: dict[str, dict[int, Record]]) -> str:
    """The difference of pupicker to the better Topaz, and in how many draws it is ahead of all that Topaz has there."""
    rival = better_rival(methods)
    if not rival:
        return "–"
    own = {d: methods["pupicker"][d]["average_precision"] for d in rival}
    best = [max(methods[m][d]["average_precision"] for m in RIVALS if d in methods.get(m, {})) for d in rival]
    ahead = sum(own[d] > b for d, b in zip(rival, best, strict=True))
    shared = {m.removeprefix("topaz-"): len(set(methods["pupicker"]) & set(methods.get(m, {}))) for m in RIVALS}
    counts = [f"{name} in {number}" for name, number in shared.items()]
    difference = statistics.mean(own.values()) - statistics.mean(average_precisions(rival))
    return f"{difference:+.3f}, ahead in {ahead} of {len(own)} ({', '.join(counts)})"


def processor(methods: dict[str, dict[int, Record]]) -> str:
    """Mean processor seconds of training, pupicker / Topaz; marked where Topaz had less."""
    def mean(names: tuple[str, ...]) -> float | None:
        runs = [r for m in names for r in methods.get(m, {}).values()
                if "gpu" not in r["machine"] and "budget_updates" not in r["settings"]]
        values = [r["training"]["cpu_s"] for r in runs]
        return statistics.mean(values) if values else None
    own, rival = mean(("pupicker",)), min(filter(None, (mean((m,)) for m in RIVALS)), default=None)
    mark = " (!)" if own and rival and rival < own else ""
    return " / ".join("–" if v is None else f"{v:.0f}" for v in (own, rival)) + mark


def markdown(groups: dict[tuple[str, int], dict[str, dict[int, Record]]], records: list[Record]) -> str:
    """The table, with what it rests on."""
    shown = [m for m in TITLES if any(m in methods for methods in groups.values())]
    lines = [
        "# Average precision on the test micrographs", "",
        "Made by `python -m benchmarks.label_efficiency report`. Mean (smallest–largest), number of draws. Goal:"
        " what was aimed at before it was measured, for the real sets; missed where pupicker's number is smaller. The"
        " last three columns: the better Topaz if somebody who knows the truth stopped each training at the best of the"
        " moments that were scored (Topaz itself does not say when to stop); pupicker less the better Topaz at the end"
        " of its training, on the draws that both have, with the number of those in which pupicker is ahead of every"
        " Topaz that was run, and in how many each was; processor seconds of training, pupicker / Topaz (the smaller of"
        " its two; `(!)` where that is less than pupicker's).", "",
        "| set | labels | goal | " + " | ".join(TITLES[m] for m in shown)
        + " | Topaz at its best moment | pupicker − Topaz | training, CPU s |",
        "|" + "---|" * (len(shown) + 6),
    ]
    for (name, labels), methods in groups.items():
        goal = GOALS.get(name, {}).get(labels)
        cells = [cell(average_precisions(methods.get(m, {}))) for m in shown]
        lines.append(f"| {name} | {labels} | {goal or '–'} | " + " | ".join(cells)
                     + f" | {best_moment(methods)} | {comparison(methods)} | {processor(methods)} |")
    versions = sorted({f"pupicker {r['versions']['pupicker']['version']} (digest of the code"
                       f" {r['settings'].get('code')})" for r in records if r["method"] == "pupicker"}
                      | {f"Topaz {r['versions']['topaz']}" for r in records if r["method"] != "pupicker"})
    machines = sorted({f"{r['machine']['processor']}, {r['machine']['cores']} cores, one thread"
                       + (f", with {r['machine']['gpu']}" if "gpu" in r["machine"] else "") for r in records})
    titles = {**{n: s.title for n, s in REAL.items()}, **{n: s[0] for n, s in SIMULATED.items()}}
    lines += ["", "Sets: " + "; ".join(f"{n} = {titles[n]}" for n in dict.fromkeys(n for n, _ in groups)) + ".",
              f"Versions: {', '.join(versions)}. Machine: {'; '.join(machines)}.", ""]
    return "\n".join(lines)


def draw(groups: dict[tuple[str, int], dict[str, dict[int, Record]]], path: Path) -> None:
    """A panel for each set: mean against number of labels, one dot a draw."""
    names = list(dict.fromkeys(name for name, _ in groups))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, grid = panels(rows, columns, (4.0 * columns, 3.2 * rows + 0.5))
    for axes in grid.flat[len(names):]:
        axes.set_axis_off()
    titles = {**{n: s.title for n, s in REAL.items()}, **{n: s[0] for n, s in SIMULATED.items()}}
    for name, axes in zip(names, grid.flat, strict=False):
        for method, color in COLORS.items():
            curve = {n: average_precisions(m[method]) for (s, n), m in groups.items() if s == name and method in m}
            if curve:
                axes.plot(list(curve), [statistics.mean(v) for v in curve.values()], "-", color=color,
                          label=TITLES[method])
                dots = [(n, v) for n, values in curve.items() for v in values]
                axes.plot(*zip(*dots, strict=True), "o", color=color, alpha=0.5, markersize=4)
        counts = sorted({n for s, n in groups if s == name})
        axes.set(xscale="log", title=titles[name], xlabel="labelled particles", ylabel="average precision")
        axes.title.set_fontsize(9)
        axes.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
        axes.set_xticks(counts, [str(c) for c in counts])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    handles = {label: handle for axes in grid.flat
               for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=min(3, len(handles)),
                  frameon=False, fontsize=8)
    save(figure, path)
