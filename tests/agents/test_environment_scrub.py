"""What passes to programs that an agent runs."""

from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.environment_scrub import PASSED, scrub

SECRETS = ("API_KEY", "AUTH_TOKEN", "SECRET", "PASSWORD", "CREDENTIALS", "key", "Token")


def test_what_a_program_needs_passes() -> None:
    environ = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "TZ": "UTC", "VIRTUAL_ENV": "/v"}
    assert scrub(environ) == environ


def test_what_nobody_listed_is_held_back() -> None:
    environ = {"LD_PRELOAD": "x", "PYTHONPATH": "x", "PIP_INDEX_URL": "https://u:p@h", "HTTPS_PROXY": "http://u:p@h"}
    assert scrub(environ) == {}


def test_a_name_that_is_kept_passes_even_if_it_is_a_secret() -> None:
    environ = {"ANTHROPIC_API_KEY": "k", "GITHUB_TOKEN": "t", "PATH": "/bin"}
    assert scrub(environ, keep=["ANTHROPIC_API_KEY", "ABSENT"]) == {"ANTHROPIC_API_KEY": "k", "PATH": "/bin"}


@given(st.dictionaries(st.text(), st.text()), st.sampled_from(SECRETS))
def test_nothing_that_sounds_like_a_secret_passes(environ: dict[str, str], secret: str) -> None:
    passed = scrub({**environ, f"LC_{secret}": "x", secret: "x"})
    assert all(name in PASSED or name.startswith("LC_") for name in passed)
    assert not any(word in name.upper() for name in passed for word in ("KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL"))
