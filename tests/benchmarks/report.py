"""What the benchmarks print and draw."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

HEADER = (
    "| case | against | reach | median | min..max | of | reached | pictures/s | peak MB |\n"
    + "| --- " * 9
    + "|"
)


def line(row: dict[str, Any]) -> str:
    """The row as a line of the Markdown table; pictures a second and memory as first / second way."""
    begin = f"| {row['case']} | {row['against']} | {row['reach']} "
    if "not measured" in row:
        return begin + f"| not measured: {row['not measured']} |" + " |" * 5
    reached = {True: "yes", False: "**no**", None: ""}[row.get("reached")]
    reached += "" if row["same"] else " (the results differ)"
    both = (
        " / ".join(f"{value:,.0f}" for value in row.get(name, ()) if value is not None)
        for name in ("pictures a second", "peak MB")
    )
    cells = [
        f"{row['median']:.3g} {row['unit']}",
        f"{row['min']:.3g}..{row['max']:.3g}",
        str(row["of"]),
        reached,
        *both,
    ]
    return begin + "| " + " | ".join(cells) + " |"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Ratios with their spread and what they are to reach; memory over the epochs, cost against work."""
    rows = [row for row in rows if "not measured" not in row]
    ratios = [row for row in rows if row["unit"] == "x"]
    curves = [row for row in rows if "points" in row]
    height = 1 + -(-len(curves) // 2)  # the ratios, then two curves side by side
    figure = Figure(figsize=(11, 3 * height), layout="constrained")
    grid = figure.add_gridspec(height, 2)

    axes = figure.add_subplot(grid[0, :])
    for place, row in enumerate(ratios):
        middle, low, high = row["median"], row["min"], row["max"]
        axes.barh(place, middle, xerr=[[middle - low], [high - middle]], capsize=3, color="tab:blue")
        if row["reach"]:
            axes.plot(float(row["reach"].split()[1]), place, "k|", markersize=16)
    axes.set_yticks(range(len(ratios)), [f"{row['case']} against {row['against']}" for row in ratios])
    axes.set(xscale="log", xlabel="ratio: median, min and max; the upright line is to be reached")
    axes.invert_yaxis()

    for number, row in enumerate(curves):
        axes = figure.add_subplot(grid[1 + number // 2, number % 2])
        axes.plot(list(row["points"]), list(row["points"].values()), "o-")
        axes.set(xlabel=row["axes"][0], ylabel=row["axes"][1], ylim=(0, 1.1 * max(row["points"].values())))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
