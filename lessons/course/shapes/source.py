"""The learner's source: the line that built a layer, the line that called it, and either with a change."""

import ast
import functools
import linecache

from lessons.course.shapes.failure import Site, is_learners


class Texts:
    """Source files as they are, and as they would be with the changes made so far."""

    def __init__(self) -> None:
        self.now: dict[str, str] = {}
        self.more: list[
            tuple[str, int, str, int]
        ] = []  # lines to add to a file, before (0) or behind (1) one

    def __getitem__(self, file: str) -> str:
        return self.now[file] if file in self.now else original(file)

    def copy(self) -> "Texts":
        other = Texts()
        other.now, other.more = dict(self.now), list(self.more)
        return other

    def replace(self, file: str, node: ast.expr, text: str) -> bool:
        """Put a text in an expression's place; False when the file is not the learner's to change."""
        if not is_learners(file):
            return False
        source = self[file].encode()
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        self.now[file] = (source[:first] + text.encode() + source[last:]).decode()
        return True

    def final(self) -> dict[str, str]:
        """The changed files as a whole, with the added lines."""
        files = dict(self.now)
        for file, line, text, behind in sorted(reversed(self.more), key=lambda added: -added[1]):
            lines = files.get(file, self[file]).splitlines()
            indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
            lines.insert(line - 1 + behind, indent + text)
            files[file] = "\n".join(lines) + "\n"
        return files


def original(file: str) -> str:
    return "".join(linecache.getlines(file))


@functools.lru_cache(maxsize=64)  # all trials of a report look into the same few texts
def parse(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError:  # edited while it ran
        return ast.Module([], [])


def expression_at(site: Site, text: str) -> ast.expr | None:
    """The expression that was evaluated at a site; None when the source is not there, or another by now."""
    for node in ast.walk(parse(text)):
        if isinstance(node, ast.expr) and site.span == (
            node.lineno,
            node.col_offset,
            node.end_lineno,
            node.end_col_offset,
        ):
            return node
    return None


def statement_at(text: str, line: int) -> ast.stmt | None:
    """The smallest statement that holds a line."""
    around = [
        node
        for node in ast.walk(parse(text))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return min(around, key=lambda node: (node.end_lineno or 0) - node.lineno, default=None)


def name_of(node: ast.AST | None) -> str:
    """The last name of ``nn.Linear`` or ``Linear``; empty for what has none."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
