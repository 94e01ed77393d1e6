"""What a request for research asks for, and what its reports recommend, told from their words."""

import pytest

from stretto.graph.insights import recommendations
from stretto.graph.topics import named_topics


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        (
            "Research authentication best practices and JWT implementation patterns",
            ("authentication best practices", "JWT implementation patterns"),
        ),
        (
            "please investigate slow queries, lost updates and dead locks. Then write",
            ("slow queries", "lost updates", "dead locks"),
        ),
        ("Research Redis and Memcached", ()),
        ("Research how queues and logs differ in cost", ()),
        ("Research authentication", ()),
        ("Add login pages and session tokens", ()),
        ("", ()),
    ],
)
def test_two_topics_or_more_are_named_only_where_each_can_stand_alone(text: str, topics: tuple[str, ...]) -> None:
    assert named_topics(text) == topics


def test_recommendations_are_the_items_below_their_headings_and_nothing_else() -> None:
    report = """# JWT
- not one
## Recommendations
- Keep keys apart
  - because of this
* Rotate them
1. Log nothing

```
- code is none
```
### Further recommendations for later
- Test expiry
## References
- a book
"""
    assert recommendations(report) == 4
    assert recommendations("No lists here") == 0
