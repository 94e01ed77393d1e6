"""What holds for every test: property tests are bounded in examples, not in time, since machines differ."""

from hypothesis import HealthCheck, settings

settings.register_profile("stretto", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stretto")
