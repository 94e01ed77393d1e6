"""The purse: what a workflow may spend, has spent, and has set aside for calls that are in flight.

One fact of each workflow, changed only inside transactions, so that no crash forgets what was spent. What a workflow
spends is also spent by the one that it belongs to (`within`): its caps hold for both. An attempt has an account from
the moment its agent is asked until it ends; a reservation is made before a call and settled after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from stretto.state.light import NamedTuple, cast
from stretto.state.queries import fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stretto.state.database import Database
    from stretto.state.transaction import Transaction

PURSE = "purse"
"""The name of the fact."""
CAPS = ("agents", "tokens", "usd", "tool_calls", "seconds")
_RESERVED = ("tokens", "usd", "tool_calls")
_DEEPEST = 32


class Want(NamedTuple):
    """What the next call may use at most. None: nobody can say."""

    tokens: float | None = 0
    usd: float | None = 0
    tool_calls: float | None = 0


class Spent(NamedTuple):
    """What was used. `uncounted_…` is how many calls did not say; `charged_…` what they count as."""

    agents: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    tool_calls: int = 0
    uncounted_tokens: int = 0
    uncounted_usd: int = 0
    charged_tokens: float = 0
    charged_usd: float = 0.0

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent._make(a + b for a, b in zip(self, other, strict=True))

    def against(self, name: str) -> float:
        """How much of a cap it takes up."""
        match name:
            case "tokens":
                return self.input_tokens + self.output_tokens + self.charged_tokens
            case "usd":
                return self.cost_usd + self.charged_usd
            case _:
                return cast("float", getattr(self, name))

    def usage(self) -> dict[str, Any]:
        """As an event tells it: what a call did not say is unknown."""
        known = self.uncounted_tokens == 0
        return {
            "input_tokens": self.input_tokens if known else None,
            "output_tokens": self.output_tokens if known else None,
            "cost_usd": self.cost_usd if self.uncounted_usd == 0 else None,
        }


class Short(NamedTuple):
    """A cap that leaves no room. With `wait` calls in flight may free some; else nothing new may start.

    `workflow_id` is whose cap it is, `spent` what counts against it.
    """

    workflow_id: str
    name: str
    cap: float
    spent: float
    wait: bool = False


class Account(NamedTuple):
    """What one attempt has spent, and what is set aside for its call in flight. `by` is the workflow it works for."""

    by: str
    spent: Spent = Spent()
    reserved: Mapping[str, float] = {}


class Purse(NamedTuple):
    """The fact. `spent` is by attempts that have ended; `most` the largest single use so far; `since` a drive's start.

    `seconds` is how long drives that are over took; `seen` when this drive was last known to live.
    """

    caps: Mapping[str, float]
    spent: Spent = Spent()
    seconds: float = 0.0
    since: float | None = None
    seen: float | None = None
    most: Mapping[str, float] = {}
    accounts: Mapping[str, Account] = {}
    within: str = ""

    @property
    def total(self) -> Spent:
        """By all attempts, those that run included."""
        whole = self.spent
        for account in self.accounts.values():
            whole = whole.plus(account.spent)
        return whole

    def driven(self, now: float) -> float:
        """Seconds that the workflow has been driven."""
        return self.seconds + (max(now - self.since, 0.0) if self.since is not None else 0.0)


def read(database: Database, workflow_id: str) -> Purse:
    """The purse of a workflow; one without caps where it has none."""
    found: dict[str, Any] | None = fact(database, workflow_id, PURSE)
    if found is None:
        return Purse({})
    accounts = {k: Account(a[0], Spent(*a[1]), a[2]) for k, a in found["accounts"].items()}
    plain = {name: found[name] for name in ("caps", "seconds", "since", "seen", "most", "within")}
    return Purse(**plain, spent=Spent(*found["spent"]), accounts=accounts)


def _put(tx: Transaction, workflow_id: str, purse: Purse) -> None:
    accounts = {k: [a.by, list(a.spent), dict(a.reserved)] for k, a in purse.accounts.items()}
    tx.put_fact(workflow_id, PURSE, {**purse._asdict(), "spent": list(purse.spent), "accounts": accounts})


def chain(database: Database, workflow_id: str) -> Iterator[tuple[str, Purse]]:
    """The purse of a workflow, then that of the one it belongs to, and so on."""
    name = workflow_id
    for _ in range(_DEEPEST):
        if not name:
            return
        purse = read(database, name)
        yield name, purse
        name = purse.within


def told(database: Database, workflow_id: str, now: float) -> dict[str, Any]:
    """For a status: what the workflow and all that belongs to it have used, those at work included, and its caps."""
    purse = read(database, workflow_id)
    total = purse.total
    spent = {name: purse.driven(now) if name == "seconds" else total.against(name) for name in purse.caps}
    caps = {name: {"cap": cap, "spent": spent[name]} for name, cap in purse.caps.items()}
    whole = {**total.usage(), "agents": total.agents, "tool_calls": total.tool_calls}
    return {"usage_with_children": whole, "caps": caps}


def line(caps: Mapping[str, Mapping[str, float]]) -> list[str]:
    """`  caps: 60 of 10,000 tokens, …`; nothing without any."""
    parts = [_of(name, one["spent"], one["cap"]) for name, one in caps.items()]
    return [f"  caps: {', '.join(parts)}"] if parts else []


def _of(name: str, spent: float, cap: float) -> str:
    if name == "usd":
        return f"{spent:.4f} of {cap:g} USD"
    if name == "seconds":
        return f"{spent / 60:.1f} of {cap / 60:g} minutes"
    return f"{spent:,.0f} of {cap:,.0f} {name.replace('_', ' ')}"


def begin(
    tx: Transaction,
    workflow_id: str,
    caps: Mapping[str, float],
    now: float,
    *,
    within: str = "",
    standing: frozenset[str] = frozenset(),
) -> dict[str, dict[str, Any]]:
    """A drive begins, with these caps. Accounts that a dead driver left are closed, but for those in `standing`.

    Returns what those attempts had used, by their accounts; see `abandon`.
    """
    purse = read(tx.database, workflow_id)
    if purse.since is not None:  # its driver died
        purse = purse._replace(seconds=purse.seconds + max((purse.seen or purse.since) - purse.since, 0.0))
    _put(tx, workflow_id, purse._replace(caps=dict(caps), within=within or purse.within, since=now, seen=now))
    return abandon(tx, workflow_id, standing)


def recap(tx: Transaction, workflow_id: str, caps: Mapping[str, float]) -> None:
    """Give a workflow that nobody drives other caps: what belongs to it is still under them."""
    _put(tx, workflow_id, read(tx.database, workflow_id)._replace(caps=dict(caps)))


def inherit(tx: Transaction, workflow_id: str, of: str, caps: Mapping[str, float]) -> dict[str, float]:
    """A workflow goes on with the work of another: what that one has spent counts, and its caps where it has none.

    Returns the caps that hold now.
    """
    old = read(tx.database, of)
    own = {name: cap for name in CAPS if (cap := caps.get(name, old.caps.get(name))) is not None}
    _put(tx, workflow_id, Purse(own, spent=old.total, seconds=old.seconds, most=old.most))
    return own


def end(tx: Transaction, workflow_id: str, now: float, standing: frozenset[str]) -> dict[str, dict[str, Any]]:
    """A drive ends. Returns what the attempts had used that it leaves cut off; see `abandon`."""
    purse = read(tx.database, workflow_id)
    took = max(now - purse.since, 0.0) if purse.since is not None else 0.0
    _put(tx, workflow_id, purse._replace(seconds=purse.seconds + took, since=None, seen=None))
    for name, above in [*chain(tx.database, workflow_id)][1:]:
        _put(tx, name, above._replace(seconds=above.seconds + took))
    return abandon(tx, workflow_id, standing)


def abandon(tx: Transaction, workflow_id: str, standing: frozenset[str]) -> dict[str, dict[str, Any]]:
    """Close the accounts of attempts that were cut off, at their last known use.

    Returns by task what WORKFLOW_PAUSED or WORKFLOW_RESUMED says of them: `usage`, and `in_flight` if a call was under
    way, of which nobody knows what it used.
    """
    cut: dict[str, dict[str, Any]] = {}
    for key, account in read(tx.database, workflow_id).accounts.items():
        if account.by != workflow_id or key in standing:
            continue
        task = key.removeprefix(f"{workflow_id}/").rpartition("#")[0]
        cut[task] = {"usage": account.spent.usage(), "in_flight": bool(account.reserved)}
        untouched = account.spent == Spent(agents=1) and not account.reserved
        give_back(tx, workflow_id, key) if untouched else close(tx, workflow_id, key)
    return cut


def open_account(tx: Transaction, workflow_id: str, key: str, now: float) -> Short | None:
    """An agent begins; counted once for each account. A cap that forbids it, and then nothing is written."""
    purses = [*chain(tx.database, workflow_id)]
    if key in purses[0][1].accounts:
        return None
    for name, purse in purses:
        spent = {"agents": purse.total.agents, "seconds": purse.driven(now)}
        for cap, used in spent.items():
            if cap in purse.caps and used >= purse.caps[cap]:
                return Short(name, cap, purse.caps[cap], used)
    for name, purse in purses:
        accounts = {**purse.accounts, key: Account(workflow_id, Spent(agents=1))}
        _put(tx, name, purse._replace(accounts=accounts))
    return None


def reserve(
    tx: Transaction, workflow_id: str, key: str, want: Want, now: float, lives: Callable[[str], bool]
) -> Short | None:
    """Set aside what the next call of an attempt may use; or say which cap leaves no room, and write nothing.

    As long as a cap is not reached one call may be made, whatever it may use: so what is spent beyond a cap is one
    call. A second one beside it must fit. Reservations of drivers that do not live (`lives`) are nobody's.
    """
    purses = [*chain(tx.database, workflow_id)]
    shorts = [s for name, purse in purses if (s := _short(name, purse, key, want, now, lives))]
    if shorts:
        return next((s for s in shorts if not s.wait), shorts[0])
    for name, purse in purses:
        reserved = {cap: _wanted(purse, cap, want) for cap in _RESERVED if cap in purse.caps}
        _change(tx, name, purse, key, reserved=reserved or {"calls": 1})
    return None


def _short(name: str, purse: Purse, key: str, want: Want, now: float, lives: Callable[[str], bool]) -> Short | None:
    if (cap := purse.caps.get("seconds")) is not None and purse.driven(now) >= cap:
        return Short(name, "seconds", cap, purse.driven(now))
    total = purse.total
    others = [a for k, a in purse.accounts.items() if k != key and a.reserved]
    tight = None
    for what in _RESERVED:
        wanted = getattr(want, what)
        if (cap := purse.caps.get(what)) is None or wanted == 0:
            continue
        if (spent := total.against(what)) >= cap:
            return Short(name, what, cap, spent)
        held = sum(a.reserved.get(what, 0) for a in others if lives(a.by))
        if held and spent + held + _wanted(purse, what, want) > cap:
            tight = Short(name, what, cap, spent, wait=True)
    return tight


def _wanted(purse: Purse, what: str, want: Want) -> float:
    """What a call may use: as it says, else as much as the largest so far, else all that is left."""
    asked: float | None = getattr(want, what)
    if asked is None:
        asked = purse.most.get(what)
    return purse.caps[what] - purse.total.against(what) if asked is None else asked


def settle(
    tx: Transaction, workflow_id: str, key: str, used: Mapping[str, Any], now: float, tool_calls: int = 0
) -> None:
    """A call is over. `used` is its usage; what it does not tell counts as what was reserved for it."""
    for name, purse in chain(tx.database, workflow_id):
        account = purse.accounts.get(key)
        if account is None:
            continue
        spent = _spent(used, account.reserved, tool_calls)
        counted = {what: spent.against(what) for what in ("tokens", "usd")}
        most = {what: max(purse.most.get(what, 0.0), amount) for what, amount in counted.items() if amount}
        seen = purse._replace(most={**purse.most, **most}, seen=now if name == workflow_id else purse.seen)
        _change(tx, name, seen, key, spent=account.spent.plus(spent), reserved={})


def _spent(used: Mapping[str, Any], reserved: Mapping[str, float], tool_calls: int) -> Spent:
    read_, wrote, cost = used.get("input_tokens"), used.get("output_tokens"), used.get("cost_usd")
    told = read_ is not None and wrote is not None
    return Spent(
        input_tokens=read_ or 0,
        output_tokens=wrote or 0,
        cost_usd=cost or 0.0,
        tool_calls=tool_calls,
        uncounted_tokens=0 if told else 1,
        uncounted_usd=0 if cost is not None else 1,
        charged_tokens=0 if told else max(reserved.get("tokens", 0) - (read_ or 0) - (wrote or 0), 0),
        charged_usd=0.0 if cost is not None else reserved.get("usd", 0.0),
    )


def release(tx: Transaction, workflow_id: str, key: str) -> None:
    """The call was not made, or came to nothing that anybody charges for."""
    for name, purse in chain(tx.database, workflow_id):
        if key in purse.accounts:
            _change(tx, name, purse, key, reserved={})


def close(tx: Transaction, workflow_id: str, key: str) -> None:
    """The attempt has ended: what it spent stays."""
    for name, purse in chain(tx.database, workflow_id):
        if account := purse.accounts.get(key):
            accounts = {k: a for k, a in purse.accounts.items() if k != key}
            _put(tx, name, purse._replace(spent=purse.spent.plus(account.spent), accounts=accounts))


def give_back(tx: Transaction, workflow_id: str, key: str) -> None:
    """No agent was asked after all: the attempt's outcome was there already, or there was no room for a first call."""
    for name, purse in chain(tx.database, workflow_id):
        if key in purse.accounts:
            _put(tx, name, purse._replace(accounts={k: a for k, a in purse.accounts.items() if k != key}))


def reached(database: Database, workflow_id: str, now: float, caps: Mapping[str, float]) -> Short | None:
    """The first cap under which nothing new may start: of `caps`, or of a workflow that this one belongs to."""
    for name, purse in chain(database, workflow_id):
        for what, cap in (caps if name == workflow_id else purse.caps).items():
            spent = purse.driven(now) if what == "seconds" else purse.total.against(what)
            if spent >= cap:
                return Short(name, what, cap, spent)
    return None


def seconds_left(database: Database, workflow_id: str, now: float) -> float | None:
    """How long the workflow may still be driven; None without a cap."""
    left = [p.caps["seconds"] - p.driven(now) for _, p in chain(database, workflow_id) if "seconds" in p.caps]
    return max(min(left), 0.0) if left else None


def _change(tx: Transaction, name: str, purse: Purse, key: str, **changes: Any) -> None:
    account = purse.accounts.get(key, Account(name))
    _put(tx, name, purse._replace(accounts={**purse.accounts, key: account._replace(**changes)}))
