"""Positionals: which one is the operation, an id, a word, JSON; and whether all that is needed is there."""

from __future__ import annotations

from itertools import pairwise

from stretto.commands.grammar import CommandGrammar, Shape, Slot, usage
from stretto.commands.invocation import Invocation, Word
from stretto.commands.line import BLANK, Value, is_bare, looks_like_json
from stretto.commands.source import nearest
from stretto.commands.tables import OPERATION_WORDS
from stretto.commands.values import Reader
from stretto.state.errors import BadInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAMING = frozenset({"create", "create-workflow", "create-test-workflow"})


class Binder:
    """Gives each positional of one line its place."""

    def __init__(
        self, reader: Reader, grammar: CommandGrammar, flags: dict[str, Any], positionals: list[Value]
    ) -> None:
        self.reader = reader
        self.source = reader.source
        self.grammar = grammar
        self.flags = flags
        self.rest = positionals
        self.ids: list[str] = []
        self.words: list[Word] = []
        self.json: list[Any] = []

    def invocation(self) -> Invocation:
        """The meaning of the line.

        Raises:
            BadInput: An unknown operation, an argument without a place or not fit for it, or one that is missing.
        """
        operation = self._operation()
        shape = self.grammar.operations.get(operation) or self.grammar.plain or Shape()
        self._place(operation, shape)
        self._complete(operation, shape)
        return Invocation(
            command=self.grammar.name,
            operation=operation,
            ids=tuple(self.ids),
            words=tuple(self.words),
            flags=self.flags,
            json=tuple(self.json),
            line=self.source.text,
        )

    def _operation(self) -> str:
        """Take the operation out of the positionals, or find that none is needed."""
        for index in (0, 1) if self.grammar.id_first else (0,):
            if self._is_operation(index):
                return self.rest.pop(index).text
        for implied in self.grammar.implied:
            if len(self.rest) == implied.positionals and (not implied.flags or implied.flags & self.flags.keys()):
                return implied.operation
        if self.grammar.plain is None or self._misspelt(0):
            raise self._unknown_operation()
        return ""

    def _is_operation(self, index: int) -> bool:
        if index >= len(self.rest):
            return False
        word = self.rest[index]
        return not word.quoted and word.text in self.grammar.operations

    def _misspelt(self, index: int) -> str:
        """The operation that an unquoted word was probably meant to be."""
        if index >= len(self.rest) or self.rest[index].quoted or not self.grammar.operations:
            return ""
        word = self.rest[index].text
        # A description may begin with any word; only one with a hyphen looks like an operation.
        text = self.grammar.plain is not None and bool(self.grammar.plain.words)
        return nearest(word, list(self.grammar.operations), cutoff=0.8) if "-" in word or not text else ""

    def _unknown_operation(self) -> BadInput:
        allowed = list(self.grammar.operations)
        if not self.rest:
            message = f"/{self.grammar.name} needs an operation: {', '.join(allowed)}."
            return self.source.error(len(self.source.text.rstrip()), message, field="operation", allowed=allowed)
        second = self.grammar.id_first and len(self.rest) > 1 and not self.rest[1].quoted and not self._misspelt(0)
        word = self.rest[1 if second else 0]
        guess = self._misspelt(1 if second else 0)
        hint = f" Did you mean {guess!r}?" if guess else ""
        message = f"/{self.grammar.name} has no operation {word.text[:100]!r}.{hint} Known: {', '.join(allowed)}."
        return self.source.error(word.at, message, field="operation", allowed=allowed)

    def _place(self, operation: str, shape: Shape) -> None:
        joined = len(shape.words) == 1 and shape.words[0].kind == "text" and not shape.ids[1]
        values = self._joined() if joined else self.rest
        for value in values:
            if shape.json[1] and looks_like_json(value.text):
                if len(self.json) == shape.json[1]:
                    raise self._unexpected(operation, shape, value)
                from stretto.commands.strict_json import parse_json

                self.json.append(parse_json(self.source, value))
            elif len(self.ids) < shape.ids[1]:
                self.ids.append(self._id(operation, value))
            elif slot := self._slot(shape):
                self._word(slot, value)
            else:
                raise self._unexpected(operation, shape, value)

    def _joined(self) -> list[Value]:
        """Several unquoted words in a row are one text: `/orchestrate Add JWT authentication`."""
        if len(self.rest) < 2 or any(v.quoted for v in self.rest):
            return self.rest
        for value, following in pairwise(self.rest):
            between = self.source.text[value.offset(len(value.text) - 1) + 1 : following.at]
            if between.strip(BLANK + "\\"):
                return self.rest
        return [self.rest[0]._replace(text=" ".join(v.text for v in self.rest), quoted=True)]

    def _id(self, operation: str, value: Value) -> str:
        name = self.reader.id(value, "workflow_id")
        if operation in _NAMING and name in OPERATION_WORDS:
            message = f"{name!r} is an operation and cannot be the id of a workflow."
            raise self.source.error(value.at, message, field="workflow_id")
        return name

    def _slot(self, shape: Shape) -> Slot | None:
        if len(self.words) < len(shape.words):
            return shape.words[len(self.words)]
        return shape.words[-1] if shape.words and shape.words[-1].many else None

    def _word(self, slot: Slot, value: Value) -> None:
        for text in self._texts(slot, value):
            if slot.required and not text.strip():
                raise self.source.error(value.at, f"The {slot.name} is empty.", field=slot.name)
            if slot.allowed:
                self.reader.choice(value, text, slot.allowed, slot.name)
            _, column = self.source.place(value.at)
            self.words.append(Word(text=text, column=column, quoted=value.quoted or not is_bare(text)))

    def _texts(self, slot: Slot, value: Value) -> list[str]:
        if slot.kind == "path" and slot.many:
            return self.reader.paths(value, self.reader.texts(value), slot.name)
        return [self.reader.path(value, slot.name) if slot.kind == "path" else self.reader.text(value)]

    def _unexpected(self, operation: str, shape: Shape, value: Value) -> BadInput:
        steps = [f"Usage: {usage(self.grammar, operation)}"]
        if any(slot.kind == "text" for slot in shape.words):
            steps.append("Put a text of several words in one pair of quotes.")
        message = f"There is no place for {value.text[:100]!r}. {' '.join(steps)}"
        return self.source.error(value.at, message, field="line", next_steps=steps)

    def _complete(self, operation: str, shape: Shape) -> None:
        """Everything that the shape demands is there."""
        if (found := self._missing(shape)) is None:
            return
        field, missing = found
        command = " ".join(filter(None, (f"/{self.grammar.name}", operation)))
        message = f"{command} needs {missing}. Usage: {usage(self.grammar, operation)}"
        raise self.source.error(len(self.source.text.rstrip()), message, field=field)

    def _missing(self, shape: Shape) -> tuple[str, str] | None:
        """The field that is not filled, and what it lacks in words."""
        if len(self.json) < shape.json[0]:
            return "json", f"{shape.json[0]} JSON arguments"
        if len(self.ids) < shape.ids[0] and not self.json:
            return "workflow_id", "a workflow id" if shape.ids[0] == 1 else f"{shape.ids[0]} workflow ids"
        slot = next((s for s in shape.words[len(self.words) :] if s.required and not self.json), None)
        if slot is None or any(f in self.flags for f in slot.unless):
            return None
        return slot.name, f"{'an' if slot.name[0] in 'aeiou' else 'a'} {slot.name}"
