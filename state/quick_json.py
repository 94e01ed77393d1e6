"""`loads` and `dumps` of `json`, by its parts in C: the rest brings `re`, half as long as the interpreter's start.

Results and errors are the same. `loads` takes texts alone. Without that C the real ones are taken.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from json import dumps
    from typing import Any

    def loads(text: str) -> Any:
        """The value that a JSON text says."""

else:
    try:
        from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner
    except ImportError:
        from json import dumps, loads
    else:

        class _Reading:
            """What a scanner asks of a decoder."""

            strict = True
            object_hook = object_pairs_hook = None
            parse_float, parse_int = float, int
            parse_constant = {name: float(name) for name in ("NaN", "Infinity", "-Infinity")}.__getitem__

        _BLANKS = " \t\n\r"
        _scan = make_scanner(_Reading)

        def loads(text):
            """The value that a JSON text says."""
            try:
                value, end = _scan(text, len(text) - len(text.lstrip(_BLANKS)))
                if not text[end:].strip(_BLANKS):
                    return value
            except (StopIteration, SystemError):  # the latter where 3.11 has an error to raise and `json` is not there
                pass
            from json import loads as slow

            return slow(text)  # it is none, and this says why

        def dumps(value, *, default=None, ensure_ascii=True, allow_nan=True, separators=(", ", ": ")):
            """A value as JSON text."""
            quote = encode_basestring_ascii if ensure_ascii else encode_basestring
            between, after_key = separators
            encode = make_encoder({}, default or _refuse, quote, None, after_key, between, False, False, allow_nan)
            return "".join(encode(value, 0))

        def _refuse(value):
            raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


__all__ = ["dumps", "loads"]
