"""What survives a crash: the store, the event log, checkpoints, leases.

What stands in `__all__` is for programs; each name is imported when it is first asked for.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from stretto.state.checkpoint import DiskCacheSaver
    from stretto.state.errors import BadInput, PermanentError, StrettoError, TransientError
    from stretto.state.filter import Filter
    from stretto.state.log import Log
    from stretto.state.subscription import Subscription
    from stretto.state.wire import Event
else:
    _HOMES = {
        "DiskCacheSaver": "checkpoint",
        **dict.fromkeys(("BadInput", "PermanentError", "StrettoError", "TransientError"), "errors"),
        "Filter": "filter",
        "Log": "log",
        "Subscription": "subscription",
        "Event": "wire",
    }

    def __getattr__(name):
        from stretto.state.lazy import load

        return load(__name__, name, _HOMES)


__all__ = [
    "BadInput",
    "DiskCacheSaver",
    "Event",
    "Filter",
    "Log",
    "PermanentError",
    "StrettoError",
    "Subscription",
    "TransientError",
]
