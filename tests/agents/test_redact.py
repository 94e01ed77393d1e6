"""Secrets leave a text, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.agents.redact import SECRETS, Redactor, mapped, redactions_in, secrets_in

EXAMPLES = {
    "anthropic-key": "sk-ant-" + "api03-" + "aB3_" * 8,
    "openai-key": "sk-" + "proj-" + "aB3x" * 8,
    "github-token": "ghp" + "_" + "a1B2" * 9,
    "gitlab-token": "glpat" + "-" + "a1B2" * 5,
    "aws-key-id": "AKIA" + "ABCD1234" * 2,
    "google-key": "AIza" + "a1B2x" * 7,
    "slack-token": "xoxb" + "-1234567890-abcdef",
    "stripe-key": "sk" + "_live_" + "a1B2" * 5,
    "huggingface-token": "hf" + "_" + "a1B2c3" * 6,
    "npm-token": "npm" + "_" + "a1B2c3" * 6,
    "pypi-token": "pypi-" + "AgEI" + "a1B2c" * 11,
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY" + ".c2lnbmF0dXJl",
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\n-----END RSA " + "PRIVATE KEY-----",
    "bearer": "Bearer " + "a1B2c3d4" * 4,
    "password-in-url": "https://bob:" + "hunter22@example.org/x",
}


def test_there_is_an_example_of_every_kind() -> None:
    assert set(EXAMPLES) == set(SECRETS)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_is_found_and_taken_out(kind: str) -> None:
    text = f"before {EXAMPLES[kind]} after"
    assert kind in secrets_in(text)
    clean = Redactor({}).text(text)
    assert secrets_in(clean) == []
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    assert redactions_in(clean) == 1


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn and task-runner-with-a-long-name",
        "the bearer of this letter",
        "https://example.org/path?x=1",
        "git@github.com:owner/name.git",
        "def test_jwt(): token = encode(payload)",
        "commit 8261e85f00ba8261e85f00ba8261e85f00ba8261",
    ],
)
def test_ordinary_texts_stay(text: str) -> None:
    assert Redactor({}).text(text) == text


def test_values_of_secret_variables_go_the_longest_first() -> None:
    redactor = Redactor({"A_TOKEN": "abcdefgh", "B_SECRET": "abcdefghij", "C_KEY": "short", "PLAIN": "plainvalue"})
    assert redactor.text("abcdefghij abcdefgh short plainvalue") == "<secret> <secret> short plainvalue"


def test_the_home_folder_goes_in_both_forms_and_only_as_a_whole() -> None:
    redactor = Redactor({"HOME": "/home/alice"})
    assert redactor.text("/home/alice. /home/alice/x -home-alice-x /home/alicex /srv/home/alice2") == (
        "<home>. <home>/x <home>-x /home/alicex /srv/home/alice2"
    )


def test_json_keeps_its_structure_and_its_keys() -> None:
    secret = EXAMPLES["anthropic-key"]
    changed = mapped({secret: [secret, 1, None, {"k": secret}]}, Redactor({}).text)
    assert changed == {secret: ["<anthropic-key>", 1, None, {"k": "<anthropic-key>"}]}


@given(st.text(max_size=60), st.sampled_from(sorted(EXAMPLES)), st.text(max_size=60))
def test_redacting_twice_changes_nothing_more(before: str, kind: str, after: str) -> None:
    redactor = Redactor({"HOME": "/home/alice", "X_TOKEN": "swordfish-9"})
    once = redactor.text(before + EXAMPLES[kind] + " swordfish-9 /home/alice " + after)
    assert redactor.text(once) == once
    assert "swordfish-9" not in once


PIECES = st.sampled_from([*EXAMPLES.values(), "sk-", "://", "Bearer ", " ", "\n", "x" * 40])


@given(st.lists(PIECES, max_size=6).map("".join))
def test_a_text_without_the_mark_of_a_secret_holds_none(text: str) -> None:
    plain = text
    for name, pattern in SECRETS.items():
        plain = pattern.sub(f"<{name}>", plain)
    assert Redactor({}).text(text) == plain
    assert secrets_in(text) == [name for name, pattern in SECRETS.items() if pattern.search(text)]
