"""Renders the templates of a Helm chart: the part of Go's template language and of Helm's functions that they use.

Anything else is an error, so a template that this cannot render fails the check instead of passing unseen.
"""

import json
import pathlib
import re

import yaml

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[()|]|:=|[^\s()|"]+')
ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.S)


def lex(text):
    """Pieces of text and actions, with white space trimmed where an action says so."""
    pieces, at, trim = [], 0, False
    for action in ACTION.finditer(text):
        before = text[at : action.start()]
        if trim:
            before = before.lstrip()
        if action.group(1):
            before = before.rstrip()
        pieces += [("text", before), ("action", action.group(2))]
        at, trim = action.end(), bool(action.group(3))
    rest = text[at:]
    return pieces + [("text", rest.lstrip() if trim else rest)]


def parse(pieces, place=0, inner=False):
    """A tree of nodes up to the `end` or `else` that closes it."""
    nodes = []
    while place < len(pieces):
        kind, value = pieces[place]
        place += 1
        if kind == "text":
            nodes.append((kind, value))
            continue
        word = value.split(" ", 1)[0]
        if word in ("end", "else"):
            assert inner, f"{word} without a beginning"
            return nodes, place, word
        if word in ("if", "range", "with", "define"):
            body, place, ended = parse(pieces, place, True)
            other = []
            if ended == "else":
                other, place, ended = parse(pieces, place, True)
            assert ended == "end"
            nodes.append((word, value[len(word) :].strip(), body, other))
        else:
            nodes.append(("action", value))
    assert not inner, "an end is missing"
    return nodes, place, ""


class Required(Exception):
    """A value that has to be given was not."""


class Chart:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.chart = yaml.safe_load((self.folder / "Chart.yaml").read_text())
        self.values = yaml.safe_load((self.folder / "values.yaml").read_text())
        self.named, self.files = {}, {}
        for file in sorted((self.folder / "templates").iterdir()):
            nodes, _, _ = parse(lex(file.read_text()))
            for node in [n for n in nodes if n[0] == "define"]:
                self.named[json.loads(node[1])] = node[2]
            if not file.name.startswith("_"):
                self.files[file.name] = nodes

    def render(self, values):
        """The text of each file."""
        root = {
            "Values": merged(self.values, values),
            "Chart": {"Name": self.chart["name"], "Version": self.chart["version"],
                      "AppVersion": self.chart["appVersion"]},
            "Release": {"Name": "night", "Namespace": "crm", "Service": "Helm"},
        }
        return {name: self.run(nodes, root, {"$": root}) for name, nodes in self.files.items()}

    def run(self, nodes, dot, variables):
        out = ""
        for kind, value, *blocks in nodes:
            if kind == "text":
                out += value
            elif kind == "action":
                out += shown(self.evaluate(value, dot, variables))
            elif kind == "if":
                out += self.run(blocks[0] if self.evaluate(value, dot, variables) else blocks[1], dot, variables)
            elif kind == "with":
                inner = self.evaluate(value, dot, variables)
                out += self.run(blocks[0], inner, variables) if inner else self.run(blocks[1], dot, variables)
            elif kind == "range":
                out += self.each(value, blocks[0], dot, variables)
        return out

    def each(self, value, body, dot, variables):
        names, _, pipeline = value.rpartition(":=")
        items = self.evaluate(pipeline, dot, variables)
        pairs = sorted(items.items()) if isinstance(items, dict) else enumerate(items)
        names = [name.strip() for name in names.split(",") if name.strip()]
        return "".join(self.run(body, item, {**variables, **dict(zip(names, (key, item)))}) for key, item in pairs)

    def evaluate(self, text, dot, variables):
        tokens = TOKEN.findall(text)
        value, place = self.pipeline(tokens, 0, dot, variables)
        assert place == len(tokens), f"cannot read {text!r}"
        return value

    def pipeline(self, tokens, place, dot, variables):
        last, piped = None, False
        while True:
            words = []
            while place < len(tokens) and tokens[place] not in ("|", ")"):
                if tokens[place] == "(":
                    word, place = self.pipeline(tokens, place + 1, dot, variables)
                    assert tokens[place] == ")"
                    words.append(("value", word))
                else:
                    words.append(("word", tokens[place]))
                place += 1
            last = self.call(words, [last] if piped else [], dot, variables)
            if place < len(tokens) and tokens[place] == "|":
                place, piped = place + 1, True
                continue
            return last, place

    def call(self, words, piped, dot, variables):
        kind, first = words[0]
        if kind == "word" and first in FUNCTIONS | {"include"}:
            arguments = [self.operand(word, dot, variables) for word in words[1:]] + piped
            if first == "include":
                return self.run(self.named[arguments[0]], arguments[1], variables)
            return FUNCTIONS_BY_NAME[first](*arguments)
        assert len(words) == 1 and not piped, f"no function {first}"
        return self.operand(words[0], dot, variables)

    def operand(self, word, dot, variables):
        kind, text = word
        if kind == "value":
            return text
        if text.startswith('"'):
            return json.loads(text)
        if text.isdigit():
            return int(text)
        start, *path = text.split(".")
        assert start in ("", *variables), f"no variable {start}"
        value = variables[start] if start else dot
        for name in filter(None, path):
            assert name in value, f"{text}: there is no {name}"
            value = value[name]
        return value


def shown(value):
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def required(message, value):
    if not value:
        raise Required(message)
    return value


FUNCTIONS_BY_NAME = {
    "default": lambda other, value: value or other,
    "nindent": lambda width, text: "\n" + "\n".join(" " * width + line for line in text.splitlines()),
    "not": lambda value: not value,
    "printf": lambda form, *values: form % values,
    "quote": lambda value: json.dumps(shown(value)),
    "required": required,
    "toYaml": lambda value: yaml.safe_dump(value, sort_keys=True).rstrip(),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "trunc": lambda width, text: text[:width],
}
FUNCTIONS = set(FUNCTIONS_BY_NAME)


def merged(base, over):
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {key: merged(base[key], over[key]) if key in base and key in over else over.get(key, base.get(key))
            for key in [*base, *[key for key in over if key not in base]]}
