"""What holds for every test: property tests are bounded in examples, not in time, since machines differ."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("stretto", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stretto")


@pytest.fixture(scope="session", autouse=True)
def no_marks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The stores that tests make are not entered in the books of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
