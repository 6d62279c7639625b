"""Templates: a text with `{name}` or `#{name}` where each recipient's own words go.

There are names and nothing else: no attribute access, no indexing, no format specs. `{a.b}` is
the field called `a.b`, so that a template from outside can reach nothing but the fields.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple, cast

from sens_async.errors import InvalidMessage, InvalidTemplate, MissingField

__all__ = ["Template", "written"]

_find_braces: Final = re.compile(
    r"""
    (?P<escaped> \{\{ | \}\} )
  | \#? \{ (?P<name> [^{}]* ) \}
  | [{}]
    """,
    re.VERBOSE,
).finditer

_SEPARATOR: Final = "\0"
_WRITTEN_BY_STR: Final = frozenset({str, int, date, datetime})
"""Types whose every value `str` writes as people do; others want a look at the value."""
_NAMES_SHOWN: Final = 10


class Template(NamedTuple):
    """A parsed text.

    Attributes:
        literals: What stands before, between and after the fields, escapes resolved; one more
            than `names`.
        names: The field of each place, in order, repeated where the text repeats it.
    """

    literals: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template.

        A name is any text without braces and not blank, taken to the letter: `{주문 번호}`.
        `#{name}` is the same field, the `#` goes with it; `##{name}` leaves one `#`. `{{` and
        `}}` are one brace each.

        Raises:
            InvalidTemplate: A brace has no partner or encloses no name.
        """
        if "{" not in text and "}" not in text:
            return cls((text,), ())
        literals, names = [""], []
        end = 0
        for match in _find_braces(text):
            literals[-1] += text[end : match.start()]
            end = match.end()
            if match["escaped"]:
                literals[-1] += match[0][0]
            elif match["name"] and not match["name"].isspace():
                names.append(match["name"])
                literals.append("")
            else:
                raise _error(match)
        literals[-1] += text[end:]
        return cls(tuple(literals), tuple(names))

    @property
    def fields(self) -> tuple[str, ...]:
        """The names, each once, in order of appearance."""
        return tuple(dict.fromkeys(self.names))

    @property
    def is_literal(self) -> bool:
        """Whether there are no fields, and everybody gets `literal`."""
        return not self.names

    @property
    def literal(self) -> str:
        """The text without its fields."""
        return "".join(self.literals)

    def render(self, fields: Mapping[str, object]) -> str:
        """Write the text for one recipient.

        Args:
            fields: Values by name, at least for `self.fields`; what is no str is written by `str`.

        Raises:
            MissingField: A field is missing, None, or a NaN or NaT (a data frame's empty cell).
            InvalidMessage: A field is bytes, of which nobody can know the encoding.
        """
        pieces = self._pieces()
        pieces[1::2] = [_written(name, fields) for name in self.names]
        return "".join(pieces)

    def render_all(self, rows: Sequence[Mapping[str, object]]) -> list[str] | None:
        """Write the text for many recipients at once, if all their fields are plain.

        Args:
            rows: Each recipient's fields.

        Returns:
            What `render` gives for each; or None if some row wants the slower look of `render`.
        """
        pieces = self._pieces()
        pieces[-1] += _SEPARATOR
        all_pieces = pieces * len(rows)
        for place, name in enumerate(self.names):
            try:
                column = written([row[name] for row in rows])
            except LookupError:
                return None
            if column is None:
                return None
            all_pieces[2 * place + 1 :: len(pieces)] = column
        texts = "".join(all_pieces).split(_SEPARATOR)
        # A text that holds the separator itself makes a part too many.
        return texts[:-1] if len(texts) == len(rows) + 1 else None

    def _pieces(self) -> list[str]:
        """Give the literals with an empty place between any two."""
        pieces = [""] * (2 * len(self.names) + 1)
        pieces[::2] = self.literals
        return pieces


def written(values: list[object]) -> list[str] | None:
    """Write the values of one field, if `str` writes them as people do; else None."""
    types = set(map(type, values))
    if types == {str}:
        return cast("list[str]", values)
    if not types <= _WRITTEN_BY_STR:
        return None
    try:
        return list(map(str, values))
    except ValueError:  # an int of more digits than Python writes
        return None


def _written(name: str, fields: Mapping[str, object]) -> str:
    try:
        value = fields[name]
    except LookupError:
        raise MissingField(f"field {name!r} is missing; {_present(fields)}", name=name) from None
    if isinstance(value, str):
        return value
    if value is None or not _is_itself(value):
        raise MissingField(f"field {name!r} is {value}; {_present(fields)}", name=name)
    if isinstance(value, bytes | bytearray | memoryview):
        kind = type(value).__name__
        raise InvalidMessage(f"field {name!r} must be text or a number, got {kind}; decode it")
    return str(value)


def _is_itself(value: object) -> bool:
    """Whether a value equals itself; what stands for an empty cell (NaN, NaT, NA) does not."""
    try:
        return bool(value == value)  # noqa: PLR0124
    except Exception:  # noqa: BLE001 - pandas.NA refuses to be asked
        return False


def _present(fields: Mapping[str, object]) -> str:
    """Say which names there are, never their values."""
    names = [repr(name) for name in fields]
    if not names:
        return "the recipient has no fields (a brace of the text itself is {{ or }})"
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"the recipient has {', '.join(names[:_NAMES_SHOWN])}{more}"


def _error(match: re.Match[str]) -> InvalidTemplate:
    found = match[0]
    position = match.start() + found.startswith("#")
    if match["name"] is not None:
        why = f"the braces at index {position} enclose no name"
    else:
        why = f"the {found!r} at index {position} has no partner"
    return InvalidTemplate(
        f"{why}; a field is {{name}}, a brace itself is {{{{ or }}}}", position=position
    )
