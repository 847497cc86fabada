"""What a browser asks for by a signal: Global Privacy Control, an opt-out from the sale and sharing of what is known.

The door hears it in a request's header `Sec-GPC: 1` or from our browser script, and writes it down once per identifier
and source as an event of its own. Being an event it holds for whoever the identifier belongs to, stays true whatever
comes later, and an expression asks for it: `did('Opt-Out Signalled')`.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from innkeeper.events.types import TRUST, LogRow
from innkeeper.kernel.ids import anonymous, user
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.time import Instant

OPT_OUT: Final = "Opt-Out Signalled"
#: How the message ids of these events begin; nobody else's do.
SIGNAL: Final = "signal:"
_PROPERTIES: Final = dumps({"signal": "gpc"})


def opt_outs(rows: Iterable[LogRow], at: Instant) -> list[LogRow]:
    """The signal of a request, for each identifier that its events stand under.

    Args:
        rows: The events of the request.
        at: When it came.

    Returns:
        list[LogRow]: One event per identifier, the same each time: the log takes it once.
    """
    made: dict[str, LogRow] = {}
    for row in rows:
        own = user(row.user_id) if row.user_id is not None else anonymous(row.anonymous_id or "")
        message_id = f"{SIGNAL}gpc:{blake2b(str(own).encode(), digest_size=16).hexdigest()}"
        trust = {key: value for key, value in loads(row.extra).items() if key == TRUST}
        made.setdefault(
            message_id,
            LogRow(
                row.source, message_id, "track", OPT_OUT, row.user_id, row.anonymous_id, at, at,
                properties=_PROPERTIES, extra=dumps(trust),
            ),
        )  # fmt: skip
    return list(made.values())
