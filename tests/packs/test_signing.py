"""Signatures of packs: made by a key that stays the user's own; anything but what was signed is refused."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.packs.files import SIGNATURE
from stretto.packs.keys import fingerprint, key_file, public, raw, user_key
from stretto.packs.signers import check_signer, known, remember, signers_file
from stretto.packs.signing import sign, signer
from stretto.state.errors import BadInput

MANIFEST = b'name = "team"\nversion = "1.2.0"\ndescription = "d"\nlicense = "MIT"\nrequires = ">=0.1"\n'
FILES = {"commands/a.md": b"a page\n", "commands/b.md": b"another\n", "pack.toml": MANIFEST}
ONE, OTHER = ("ed25519:" + letter * 42 + "A=" for letter in "AB")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose configuration is empty."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def signed(home: dict[str, str], files: dict[str, bytes] = FILES) -> dict[str, bytes]:
    return {**files, SIGNATURE: sign(files, user_key(home)[0])}


def test_a_key_is_made_once_and_is_the_users_alone(home: dict[str, str]) -> None:
    key, made = user_key(home)
    again, remade = user_key(home)
    assert (made, remade) == (True, False)
    assert public(key) == public(again)
    assert stat.S_IMODE(key_file(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file(home).parent.stat().st_mode) == 0o700
    assert os.listdir(key_file(home).parent) == ["signing.key"]  # noqa: PTH208 - hidden ones too


def test_a_key_that_others_may_read_is_not_used(home: dict[str, str]) -> None:
    user_key(home)
    key_file(home).chmod(0o640)
    with pytest.raises(BadInput, match="not yours alone"):
        user_key(home)


def test_what_is_no_key_is_left_as_it_is_and_not_printed(home: dict[str, str]) -> None:
    key_file(home).parent.mkdir(parents=True)
    key_file(home).touch(0o600)
    key_file(home).write_text("a secret that is no key")
    with pytest.raises(BadInput, match="holds no Ed25519 key") as caught:
        user_key(home)
    assert "a secret" not in str(caught.value)
    assert key_file(home).read_text() == "a secret that is no key"


def test_a_link_in_the_place_of_the_key_is_not_followed(home: dict[str, str], tmp_path: Path) -> None:
    key_file(home).parent.mkdir(parents=True)
    key_file(home).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="cannot be used"):
        user_key(home)
    assert not (tmp_path / "elsewhere").exists()


def test_what_was_signed_names_its_signer_and_is_text(home: dict[str, str]) -> None:
    files = signed(home)
    assert signer(files) == public(user_key(home)[0])
    assert signer(FILES) is None
    lines = files[SIGNATURE].decode().splitlines()
    assert lines[:3] == ["stretto pack signature 1", "name team", "version 1.2.0"]
    assert len([line for line in lines if line.startswith("file ")]) == 3
    assert sign(FILES, user_key(home)[0]) == files[SIGNATURE]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"commands/a.md": b"a page!\n"}, "'commands/a.md' was changed"),
        ({"commands/c.md": b"new\n"}, "'commands/c.md' was added"),
        ({"commands/a.md": None}, "'commands/a.md' was removed"),
        ({"commands/a.md": None, "commands/c.md": b"a page\n"}, "'commands/a.md' was renamed to 'commands/c.md'"),
        ({"pack.toml": MANIFEST.replace(b"1.2.0", b"1.3.0")}, "'pack.toml' was changed"),
    ],
)
def test_another_file_than_was_signed_is_named(
    home: dict[str, str], change: dict[str, bytes | None], told: str
) -> None:
    files = {path: content for path, content in {**signed(home), **change}.items() if content is not None}
    with pytest.raises(BadInput, match=told):
        signer(files)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_byte_of_a_signed_pack_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path_factory.getbasetemp() / "key-of-the-property")}
    files = signed(home)
    path = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[path])
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadInput, match=r"pack\.sig"):
        signer({**files, path: bytes(content)})


def test_a_signature_does_not_fit_another_pack(home: dict[str, str]) -> None:
    other = {**FILES, "pack.toml": MANIFEST.replace(b'"team"', b'"other"')}
    with pytest.raises(BadInput, match=r"'pack\.toml' was changed"):
        signer({**other, SIGNATURE: signed(home)[SIGNATURE]})


def test_a_signature_by_one_key_does_not_pass_as_anothers(home: dict[str, str], tmp_path: Path) -> None:
    files = signed(home)
    theirs = public(user_key({"XDG_CONFIG_HOME": str(tmp_path / "theirs")})[0])
    swapped = files[SIGNATURE].replace(public(user_key(home)[0]).encode(), theirs.encode())
    with pytest.raises(BadInput, match="was not written by the signer"):
        signer({**files, SIGNATURE: swapped})


@pytest.mark.parametrize(
    "text", ["", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 43 + "=", "ed25519:" + "A" * 42 + "B="]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no public key"):
        raw(text)


def test_a_signer_is_trusted_on_first_use_and_no_other_from_then_on(home: dict[str, str]) -> None:
    assert "who is new to you" in check_signer("team", ONE, None, home)
    remember("team", ONE, home)
    assert stat.S_IMODE(signers_file(home).stat().st_mode) == 0o600
    assert check_signer("team", ONE, None, home).endswith("as before.")
    assert "new to you" in check_signer("another", OTHER, "", home)
    for now in (OTHER, None):
        with pytest.raises(BadInput) as caught:
            check_signer("team", now, None, home)
        assert fingerprint(ONE) in caught.value.message
        assert (fingerprint(now) if now else "not signed at all") in caught.value.message
        assert any(str(signers_file(home)) in step for step in caught.value.next_steps)
    assert known(home) == {"team": ONE}


def test_the_lock_knows_a_signer_that_this_user_does_not(home: dict[str, str]) -> None:
    assert check_signer("team", ONE, ONE, home).endswith("as before.")
    for now in (OTHER, None):
        with pytest.raises(BadInput, match="the lock of this project knows it"):
            check_signer("team", now, ONE, home)
    assert "Nobody signed it" in check_signer("team", None, None, home)


def test_known_signers_that_are_damaged_are_told_and_left(home: dict[str, str]) -> None:
    signers_file(home).parent.mkdir(parents=True)
    for text in ("team = 1\n", "team = \n", 'team = "ed25519:x"\n'):
        signers_file(home).write_text(text)
        with pytest.raises(BadInput):
            check_signer("team", ONE, None, home)
        with pytest.raises(BadInput):
            remember("team", ONE, home)
        assert signers_file(home).read_text() == text


def test_without_cryptography_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from stretto.packs.keys import user_key\n"
        "try:\n    user_key({'XDG_CONFIG_HOME': '/nowhere'})\n"
        "except Exception as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'stretto[packs]'" in done.stdout
