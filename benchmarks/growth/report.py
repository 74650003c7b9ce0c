"""Table and figure of what was measured."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.common.figures import panels, save
from pupicker.shared.atomic import write_text

PARTS = {"protocol_cpu_s": "Scipion's process", "core_cpu_s": "process that picks"}


def keep(path: Path, command: str, record: dict[str, Any]) -> None:
    """Put a record into the file, in place of an earlier one of the same command and numbers."""
    def numbers(one: dict[str, Any]) -> tuple[int, int]:
        """Of micrographs and of kills."""
        return one["micrographs"], len(one.get("kills", []))

    records = json.loads(path.read_text()) if path.exists() else {}
    others = [one for one in records.get(command, []) if numbers(one) != numbers(record)]
    records[command] = sorted([*others, record], key=numbers)
    write_text(path, json.dumps(records, indent=1) + "\n")


def costs(rows: list[dict[str, Any]], part: str) -> list[tuple[int, float]]:
    """Micrographs done, and milliseconds a micrograph since the line before; the start of the processes is left out."""
    begun = [row for row in rows if row["done"]]
    return [(row["done"], 1000 * (row[part] - before[part]) / (row["done"] - before["done"]))
            for before, row in pairwise(begun)]


def ends(values: list[float]) -> tuple[float, float]:
    """Means of the first and the last quarter."""
    quarter = max(1, len(values) // 4)
    return sum(values[:quarter]) / quarter, sum(values[-quarter:]) / quarter


def write_report(path: Path) -> None:
    """Beside the records."""
    records = json.loads(path.read_text())
    sections = [_growth(records.get("grow", [])), _looks(records.get("look", [])), _chains(records.get("chain", [])),
                _lives(records.get("live", []))]
    made = "Made by `python -m benchmarks.growth`; the machine did other work too."
    head = f"# What a run costs when it grows\n\n{made}\n"
    write_text(path.with_suffix(".md"), "\n".join([head, *filter(None, sections)]))
    if records.get("grow"):
        _draw(records["grow"], path.with_suffix(".png"))


def _table(header: list[str], rows: list[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def _growth(records: list[dict[str, Any]]) -> str:
    rows = []
    for record in records:
        row: list[Any] = [record.get("title", record["micrographs"])]
        for part in PARTS:
            first, last = ends([value for _, value in costs(record["rows"], part)])
            row += [f"{first:.1f}", f"{last:.1f}", f"{last / first:.2f}"]
        seen = [one for one in record["rows"] if one["done"]]
        row += [f"{seen[0][name]:.0f}, {seen[-1][name]:.0f}" for name in ("protocol_mb", "core_mb")]
        end, number = record["end"], record["micrographs"]
        row += [f"{end['output_kb'] / number:.2f}", f"{end['own_files'] / number:.2f}",
                f"{end['own_kb'] / number:.2f}", f"{end['steps_kb'] / number:.2f}"]
        rows.append([*row, record["load_at_the_end"]])
    header = ["micrographs", "Scipion's process, ms: first quarter", "last", "ratio",
              "process that picks, ms: first quarter", "last", "ratio",
              "memory of Scipion's process, MB: first, last", "of the process that picks",
              "output, KB a micrograph", "own files", "own files, KB", "steps, KB", "load"]
    title = "## *pick* on a set that grows\n\nMilliseconds are those of the processor, of one micrograph.\n\n"
    return title + _table(header, rows) if rows else ""


def _looks(records: list[dict[str, Any]]) -> str:
    if not records:
        return ""
    parts = list(records[0]["host_ms"])
    rows = [[record["micrographs"], *(f"{record['host_ms'][part]:.0f}, {record['pupicker_ms'][part]:.0f}"
                                      for part in parts)] for record in records]
    return f"## One look of the streaming loop\n\n{records[0]['new']} new micrographs beside so many known ones; " \
           "processor milliseconds, as the host does it and as *pick* does.\n\n" \
           + _table(["micrographs known", *parts], rows)


def _chains(records: list[dict[str, Any]]) -> str:
    rows = [[record["micrographs"], record["preprocessed"], record["picked"], record["picks"],
             *(json.dumps(record[name]["largest_mb"]).strip("{}").replace('"', "") for name in ("preprocess", "pick"))]
            for record in records]
    header = ["micrographs", "preprocessed", "picked", "picks", "largest memory of preprocess, MB", "of pick, MB"]
    return "## Preprocess, then *pick*, in one project\n\n" + _table(header, rows) if rows else ""


def _lives(records: list[dict[str, Any]]) -> str:
    rows = [[record["micrographs"], record["side_px"], record["every_s"], len(record["kills"]),
             sum(kill["while_it_picked"] for kill in record["kills"]), record["lost_micrographs"],
             record["doubled_picks"], record["other_tables"], record["quarantined"], record["latency_s_median"],
             record["latency_s_99"], *_ours(record), record["largest_backlog"], record["load_at_the_end"]]
            for record in records]
    header = ["micrographs", "side, px", "one in, s", "kills", "while it picked", "lost", "picks doubled",
              "tables that differ from the command line's", "quarantined", "from set to set, s, median", "99 %",
              "from batch to table, s, median", "99 %", "largest backlog", "load"]
    title = "## Micrographs that arrive, and a worker that is killed\n\nFrom the input set to a batch, and from a" \
            " table of picks to the output, Scipion's loop has to come by; from batch to table *pick* is at work.\n\n"
    return title + _table(header, rows) if rows else ""


def _ours(record: dict[str, Any]) -> list[Any]:
    """Seconds from batch to table, of a record that has them."""
    ours = record.get("parts_s", {}).get("batch_to_table", {})
    return [ours.get("latency_s_median", "–"), ours.get("latency_s_99", "–")]


def _draw(records: list[dict[str, Any]], path: Path) -> None:
    figure, axes = panels(1, 3, (12, 3.6))
    for record in records:
        for axis, part in zip(axes[0], PARTS, strict=False):
            axis.plot(*zip(*costs(record["rows"], part), strict=True), ".-", label=str(record["micrographs"]))
            axis.set_title(f"{PARTS[part]}: processor ms for each", fontsize=9)
    longest = records[-1]["rows"]
    for name, label in (("protocol_mb", "Scipion's process, MB"), ("core_mb", "process that picks, MB"),
                        ("output_kb", "output, KB"), ("own_files", "own files")):
        axes[0][2].plot([row["done"] for row in longest], [row[name] for row in longest], ".-", label=label)
    axes[0][2].set_yscale("log")
    axes[0][2].set_title("memory, output, files", fontsize=9)
    for axis in axes[0]:
        axis.set_xlabel("micrographs in the output")
        axis.set_xscale("log")
        axis.legend(fontsize=7)
    axes[0][0].set_ylim(bottom=0)
    axes[0][1].set_ylim(bottom=0)
    save(figure, path)
