"""The topics that a request for research names by itself: `Research X and Y` asks for two things."""

import re

_VERBS = "research|investigate|explore|study|survey|evaluate|examine"
_LEADS = re.compile(rf"\s*(?:please\s+)?(?:{_VERBS})\s+(?P<rest>[^.;:!?\n]+)", re.IGNORECASE)
_JOINTS = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+", re.IGNORECASE)
_FEWEST_WORDS = 2
"""`Redis and Memcached` is one topic, and so is `how X and Y differ`: each part must be able to stand alone."""
_DANGLING = frozenset({"between", "both", "how", "whether", "when", "where", "which", "who", "why"})


def named_topics(description: str) -> tuple[str, ...]:
    """Two or more topics in the order in which they are named; none if the sentence does not list any."""
    found = _LEADS.match(description)
    parts = _JOINTS.split(found["rest"].strip()) if found else []
    words = [part.split() for part in parts]
    if len(parts) < 2 or any(len(w) < _FEWEST_WORDS for w in words) or _DANGLING & {w.lower() for w in words[0]}:
        return ()
    return tuple(parts)
