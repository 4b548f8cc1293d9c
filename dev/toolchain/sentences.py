"""The sentences with which errors of the collection end, read from its source: f-strings become patterns.

A placeholder stands in angle brackets. What cannot be read as a sentence is a Failure that names the line, so that no
sentence is left out in silence.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.places import ROOT, Failure

MODULE_UTILS = ROOT / "plugins" / "module_utils"

ROOTS = ("EnrollmentError", "ScepError", "ValueError")
"""What all errors are made of; a ValueError becomes part of another sentence."""

TOLD_BY_TABLES = frozenset({"explain"})
"""Functions whose sentences come from the tables of scep/failures.py."""

# Functions that return sentences, or parts of them, which no error class is called with: file, function, kind.
RETURNED = {
    ("_deps.py", "report"): "",
    ("context.py", "_switches"): "BadAlgorithm",
    ("scep/trust.py", "objection"): "ValueError",
}

_TEXT_METHODS = frozenset({"join", "lower", "replace", "strip"})
_WORDS = {"error": "detail", "strerror": "reason of the system", "done": "path", "word": "attribute"}


@dataclass(frozen=True, order=True)
class Sentence:
    """`kind`: the class of the error, or what RETURNED says. `place` is file and line."""

    kind: str
    text: str
    place: str = field(compare=False)


@dataclass(frozen=True)
class Source:
    """The files, read: their trees, the error classes with their first base, and all constants by name."""

    trees: dict[str, ast.Module]
    bases: dict[str, str]
    about: dict[str, str]
    constants: dict[str, str]

    def is_error(self, name: str) -> bool:
        return name in ROOTS or (name in self.bases and self.is_error(self.bases[name]))


def read_source(folder: Path = MODULE_UTILS) -> Source:
    """All Python files below a folder."""
    paths = sorted(folder.rglob("*.py"))
    trees = {path.relative_to(folder).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    bases, about, constants = {}, {}, {}
    for tree in trees.values():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name):
                bases[node.name] = node.bases[0].id
                about[node.name] = (ast.get_docstring(node) or "").partition("\n")[0]
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = _constant(node.value)
                if value is not None:
                    constants[node.targets[0].id] = value
    return Source(trees, bases, about, constants)


def _constant(node: ast.expr) -> str | None:
    """The text of a number, a product of numbers, or a string; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int)):
        return str(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        factors = [_constant(node.left), _constant(node.right)]
        if all(factor is not None and factor.isdecimal() for factor in factors):
            return str(int(factors[0] or 0) * int(factors[1] or 0))
    return None


def gather(source: Source) -> list[Sentence]:
    """Every sentence, sorted by kind and text, once each.

    Raises:
        Failure: An error is made of something that cannot be read, or RETURNED names a function that is not there.
    """
    found: dict[Sentence, None] = {}
    for file, tree in source.trees.items():
        reader = _Reader(file, tree, source)
        found.update(dict.fromkeys(reader.sentences()))
    for file, function in RETURNED:
        if file not in source.trees or not _functions(source.trees[file], function):
            raise Failure(f"{__name__}: RETURNED names {function} in {file}, which is not there")
    return sorted(found)


def _functions(tree: ast.AST, name: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name]


class _Reader:
    """Reads one file."""

    def __init__(self, file: str, tree: ast.Module, source: Source) -> None:
        self.file, self.tree, self.source = file, tree, source

    def sentences(self) -> Iterator[Sentence]:
        for scope in [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]:
            kind = RETURNED.get((self.file, scope.name))
            if kind is not None:
                yield from self._made(kind, self._returned(scope), scope)
            for call in _own_calls(scope):
                yield from self._of_call(call, scope)
        for cls in [node for node in self.tree.body if isinstance(node, ast.ClassDef)]:
            if self.source.is_error(cls.name):
                yield from self._of_class(cls)

    def _of_call(self, call: ast.Call, scope: ast.FunctionDef) -> Iterator[Sentence]:
        if not isinstance(call.func, ast.Name) or not self.source.is_error(call.func.id) or not call.args:
            return
        kind, texts = call.func.id, self._texts(call.args[-1 if self._takes_option(call) else 0], scope)
        if self._takes_option(call):
            options = self._texts(call.args[0], scope, shown=True)
            texts = [f"{option}: {text}" for option in options for text in texts]
        yield from self._made(kind, texts, call)

    def _takes_option(self, call: ast.Call) -> bool:
        return isinstance(call.func, ast.Name) and call.func.id == "OptionError"

    def _of_class(self, cls: ast.ClassDef) -> Iterator[Sentence]:
        """A class that needs nothing to be made of has one sentence of its own."""
        for scope in _functions(cls, "__init__"):
            if len(scope.args.args) == 1 and scope.args.vararg is None:
                for call in _own_calls(scope):
                    if isinstance(call.func, ast.Attribute) and call.func.attr == "__init__":
                        yield from self._made(cls.name, self._texts(call.args[0], scope), call)

    def _made(self, kind: str, texts: list[str], node: ast.expr | ast.stmt) -> Iterator[Sentence]:
        for text in texts:
            yield Sentence(kind, text.strip(), f"{self.file}:{node.lineno}")

    def _returned(self, scope: ast.FunctionDef) -> list[str]:
        returns = [node.value for node in ast.walk(scope) if isinstance(node, ast.Return) and node.value is not None]
        said = [value for value in returns if not (isinstance(value, ast.Constant) and not value.value)]
        return [text for value in said for text in self._texts(value, scope)]

    def _texts(self, node: ast.expr, scope: ast.FunctionDef, *, shown: bool = False) -> list[str]:
        """All that an expression can be; `shown`: a placeholder will do where it says nothing by itself."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [node.value]
        if isinstance(node, ast.JoinedStr):
            parts = [self._texts(part, scope, shown=True) for part in node.values]
            return ["".join(choice) for choice in itertools.product(*parts)]
        if isinstance(node, ast.FormattedValue):
            return self._texts(node.value, scope, shown=True)
        if isinstance(node, ast.IfExp):
            both = (node.body, node.orelse)
            return [text for branch in both for text in self._texts(branch, scope, shown=shown) if text]
        if isinstance(node, ast.Name):
            texts = self._named(node.id, scope)
            if texts:
                return texts
        if not shown and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "str" or node.func.id in TOLD_BY_TABLES:  # str(error): the sentence of another error
                return []
            functions = _functions(self.tree, node.func.id)
            if functions:
                return self._returned(functions[0])
        if shown:
            return [f"<{_placeholder(node)}>"]
        raise Failure(f"plugins/module_utils/{self.file}:{node.lineno}: this cannot be read as a sentence")

    def _named(self, name: str, scope: ast.FunctionDef) -> list[str]:
        """What a variable of the function holds if it is given one text and nothing else, or a constant."""
        given = [
            node.value
            for node in ast.walk(scope)
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id == name
        ]
        if len(given) == 1 and isinstance(given[0], (ast.JoinedStr, ast.Constant)):
            return self._texts(given[0], scope)
        if given or any(argument.arg == name for argument in scope.args.args) or name not in self.source.constants:
            return []
        return [self.source.constants[name]]


def _own_calls(scope: ast.FunctionDef) -> list[ast.Call]:
    """Calls in a function, those of functions within it left to them."""
    inner = {
        call
        for node in ast.walk(scope)
        if isinstance(node, ast.FunctionDef) and node is not scope
        for call in ast.walk(node)
    }
    return [node for node in ast.walk(scope) if isinstance(node, ast.Call) and node not in inner]


def _placeholder(node: ast.expr) -> str:
    """A name for what is filled in, from how the source calls it."""
    if isinstance(node, ast.Name):
        return _words(node.id)
    if isinstance(node, ast.Attribute):
        return _words(node.attr)
    if isinstance(node, ast.Subscript):
        return _placeholder(node.value)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr not in _TEXT_METHODS:
            return _words(node.func.attr)
        if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Constant):
            return _placeholder(node.func.value)
        if isinstance(node.func, ast.Name) and node.func.id not in ("name", "len"):
            return " of ".join([_words(node.func.id), *map(_placeholder, node.args)])
        return _placeholder(node.args[0])
    return "value"


def _words(name: str) -> str:
    return _WORDS.get(name, name.strip("_").replace("_", " ").lower())
