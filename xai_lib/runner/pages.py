"""The parts of pages that are computed: what was run, what holds, what is explained.

They are written to `book/generated/` of a book tree; the pages include them, so that prose and
numbers never share a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xai_lib import papers
from xai_lib.runner.progress import duration
from xai_lib.runner.project import PAGE_OF, BookTree
from xai_lib.runner.records import RunRecord

Row = dict[str, Any]

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "results.json"


def write_generated(tree: BookTree, names: list[str]) -> None:
    """Write `status.md`, `claims.md`, `zoo.md` and `speed.md` for the notebooks of a tree.

    Parameters
    ----------
    tree : BookTree
        The book; its results and run records are read.
    names : list of str
        Notebooks in the table of contents.
    """
    tree.generated.mkdir(parents=True, exist_ok=True)
    (tree.generated / "status.md").write_text(status_markdown(tree, names), "utf-8")
    (tree.generated / "claims.md").write_text(claims_markdown(tree, names), "utf-8")
    (tree.generated / "zoo.md").write_text(zoo_markdown(), "utf-8")
    (tree.generated / "speed.md").write_text(speed_markdown(), "utf-8")


def speed_markdown(path: Path = BENCHMARK) -> str:
    """Return the table of what `make bench` measured.

    Parameters
    ----------
    path : Path
        The file it wrote.

    Returns
    -------
    str
        Markdown: machine and commits, then a row for each ratio with its spread over the rounds
        and what was wanted of it; a sentence where there is no such file.
    """
    if not path.is_file():
        return "No measurements are at hand; `make bench` makes them.\n"
    document = json.loads(path.read_text("utf-8"))
    rows = []
    for row in document["rows"]:
        if row["value"] is None:
            continue
        ends = [row.get("low"), row.get("high")]
        spread = "" if None in ends else f"{ends[0]:.3g} to {ends[1]:.3g}"
        wanted = ""
        if row.get("at_least") is not None:
            wanted = f"at least {row['at_least']:g}"
        elif row.get("at_most") is not None:
            wanted = f"at most {row['at_most']:g}"
        rows.append([row["what"], f"{row['value']:.3g}", spread, wanted])
    machine = document["machine"]
    units = "with" if machine["bfloat16"] else "without"
    flags = ", ".join(machine["cpu_flags"])
    commits = dict.fromkeys(row.get("commit") or document["commit"] for row in document["rows"])
    about = (
        f"Measured on: {machine['device']}, {units} bfloat16 units ({flags}); "
        f"commit {', '.join(f'`{one[:12]}`' for one in commits)}."
    )
    head = ["what", "measured", "over the rounds", "wanted"]
    return "\n".join([about, "", *_table(head, rows)]) + "\n"


def zoo_markdown() -> str:
    """Return a table of the named black boxes and how each is trained.

    Returns
    -------
    str
        A Markdown table, one row for each entry of `xai_lib.models.zoo_entries.ZOO`.
    """
    from xai_lib.models.networks import NETWORKS
    from xai_lib.models.zoo_entries import ZOO

    lines = [
        "| name | starts from | trained on | epochs | batch | tokens | accuracy on |",
        "|---|---|---|---|---|---|---|",
    ]
    start = {
        "tiny": "nothing: BERT with 2 layers, 48 wide",
        "minilm": "MiniLM",
        "bilstm": "nothing: LSTM in both directions with attention, {width} wide",
        "transformer": "nothing: Transformer of one block, {width} wide",
        "decomposable": "nothing: decomposable attention, {width} wide",
    }
    for name, entry in ZOO.items():
        recipe = entry.recipe
        some = "" if recipe.n_train is None else f"{recipe.n_train} texts of "
        end = "last" if entry.from_end else "first"
        cut = "" if entry.max_words is None else f", {end} {entry.max_words} words"
        copies = ", with copies without rationale" if entry.neutral else ""
        test = "its test split" if entry.n_test is None else f"{entry.n_test} test texts"
        cells = [
            f"`{name}`",
            start[entry.base].format(width=getattr(recipe, "width", None)),
            f"{some}`{entry.dataset}`{cut}{copies}",
            f"at most {recipe.epochs}" if entry.base in NETWORKS else str(recipe.epochs),
            str(recipe.batch_size),
            f"{recipe.max_length} words" if entry.base in NETWORKS else str(recipe.max_length),
            test,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def status_markdown(tree: BookTree, names: list[str]) -> str:
    """Return, for each notebook: profile, data, black boxes, device, time, commit, versions.

    Parameters
    ----------
    tree : BookTree
        The book.
    names : list of str
        Notebooks in the table of contents.

    Returns
    -------
    str
        MyST Markdown: an overview, then one section per notebook.
    """
    lines = _overview(tree, names)
    for name in names:
        page = PAGE_OF.get(name, f"book/papers/{name}.ipynb")
        lines += [f"## Notebook {name}", "", f"[Open the page]({_from_pages(page)}).", ""]
        record = RunRecord.load(tree.run_record(name))
        if record is None:
            lines += ["It has not been executed yet.", ""]
            continue
        results = load_results(tree.results / name)
        lines += _pairs(_facts(record, results))
        data = _distinct(row for result in results for row in result["data"])
        lines += _section("Data", ["name", "split", "rows", "source", "stands for"], data)
        boxes = _distinct(row for result in results for row in result["black_box"])
        header = ["name", "held-out accuracy", "test size", "data", "stands for"]
        lines += _section("Black boxes", header, boxes)
    return "\n".join(lines) + "\n"


def claims_markdown(tree: BookTree, names: list[str]) -> str:
    """Return the table of all claims with their verdicts.

    Parameters
    ----------
    tree : BookTree
        The book; its results decide.
    names : list of str
        Notebooks in the table of contents. A paper that has none yet is left out: its claims
        would all read "not testable here", which means something else.

    Returns
    -------
    str
        MyST Markdown.
    """
    from xai_lib import papers
    from xai_lib.report.claims import claims_table

    chapters = [name for name in papers.papers() if name in names]
    return f"```{{raw}} html\n{claims_table(chapters, tree.results)}\n```\n"


def load_results(folder: Path) -> list[Row]:
    """Read the result files of one paper, in the order of their names.

    Parameters
    ----------
    folder : Path
        `book/results/<paper>`; need not exist.

    Returns
    -------
    list of dict
        The files' content.
    """
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]


def _overview(tree: BookTree, names: list[str]) -> list[str]:
    records = [(name, RunRecord.load(tree.run_record(name))) for name in names]
    rows = [
        [name, record.profile, record.device, duration(record.seconds), _commit(record)]
        for name, record in records
        if record is not None
    ]
    return _table(["notebook", "profile", "device", "time", "commit"], rows) if rows else []


def _commit(record: RunRecord) -> str:
    dirty = "-dirty" if record.commit.endswith("-dirty") else ""
    return f"`{record.commit.removesuffix('-dirty')[:12]}{dirty}`"


def _facts(record: RunRecord, results: list[Row]) -> list[list[str]]:
    slow = sorted(enumerate(record.cells, start=1), key=lambda pair: -pair[1])[:3]
    made = [result["provenance"] for result in results]
    calls = sum(int(one["model_calls"]) for one in made)
    stored = sum(int(one.get("cached_model_calls") or 0) for one in made)
    earlier = f", and {stored:,} answered by earlier runs and read from disk" if stored else ""
    facts = [
        ["profile", record.profile],
        ["started (UTC)", record.started.replace("T", " ").rstrip("Z")],
        ["time", duration(record.seconds)],
        ["slowest cells", ", ".join(f"number {n}: {duration(s)}" for n, s in slow if s >= 0.05)],
        ["device", f"{record.device}; {record.threads} thread{'s' * (record.threads > 1)}"],
        ["seed", str(record.parameters.get("seed", ""))],
        ["commit", _commit(record)],
        ["versions", ", ".join(f"{name} {v}" for name, v in record.versions.items())],
    ]
    for kept in record.kept or []:
        named = papers.paper(record.notebook).setting_name
        shown = ", ".join(map(named, kept["settings"]))
        run = f"run of {kept['started'].replace('T', ' ').rstrip('Z')} at `{kept['commit'][:12]}`"
        facts.append(["kept", f"{shown}, of the {run} ({kept['device']})"])
    if results:
        facts.insert(4, ["model calls", f"{calls:,}{earlier}"])
    return [[name, value] for name, value in facts if value]


def _section(title: str, header: list[str], rows: list[Row]) -> list[str]:
    if not rows:
        return []
    used = [h for h in header if any(row.get(_field(h)) not in (None, "") for row in rows)]
    cells = [[_cell(row.get(_field(h))) for h in used] for row in rows]
    return [f"**{title}**", "", *_table(used, cells)]


def _field(header: str) -> str:
    return header.replace(" ", "_").replace("-", "_")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return "; ".join(_cell(entry) for entry in value)
    return str(value)


def _pairs(facts: list[list[str]]) -> list[str]:
    lines = ["```{list-table}", ":stub-columns: 1", ":widths: 20 80", ""]
    for name, value in facts:
        lines += [f"* - {name}", f"  - {value}"]
    return [*lines, "```", ""]


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    def line(cells: list[str]) -> str:
        safe = (cell.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;") for cell in cells)
        return "| " + " | ".join(safe) + " |"

    return [line(header), "|" + " --- |" * len(header), *map(line, rows), ""]


def _distinct(rows: Iterable[Row]) -> list[Row]:
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(json.dumps(row, sort_keys=True), row)
    return list(found.values())


def _from_pages(page: str) -> str:
    """Link to a page as seen from `book/`, where the pages that include the parts lie."""
    return page.removeprefix("book/")
