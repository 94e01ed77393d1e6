from pathlib import Path

import pytest

from notes_api.config import Config, ConfigError, from_environment


def test_without_variables_the_defaults_hold():
    assert from_environment({}) == Config()


def test_every_setting_can_be_given():
    environ = {"NOTES_HOST": "0.0.0.0", "NOTES_PORT": "80", "NOTES_FILE": "/tmp/n.json", "NOTES_MAX_BODY": "10"}

    assert from_environment(environ) == Config("0.0.0.0", 80, Path("/tmp/n.json"), 10)


@pytest.mark.parametrize("value", ["", "eighty", "0", "65536", "-1", "8 0", "²"])
def test_a_port_that_is_none_is_refused_by_name(value):
    with pytest.raises(ConfigError, match="NOTES_PORT must be a number from 1 to 65535"):
        from_environment({"NOTES_PORT": value})
