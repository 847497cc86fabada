"""How senders of webhooks sign, by name; one file each, or one row where they differ by a header's name alone."""

from innkeeper.events.signatures.body import GITHUB, INTERCOM, SHOPIFY
from innkeeper.events.signatures.contract import TOLERANCE, Forged, Received, Scheme, Terms, Verified
from innkeeper.events.signatures.form import MANDRILL, TWILIO
from innkeeper.events.signatures.hubspot import HubSpot
from innkeeper.events.signatures.mailgun import Mailgun
from innkeeper.events.signatures.sendgrid import SendGrid
from innkeeper.events.signatures.shown import BASIC, BEARER, InAddress
from innkeeper.events.signatures.slack import Slack
from innkeeper.events.signatures.sns import Sns
from innkeeper.events.signatures.standard import Standard
from innkeeper.events.signatures.timed import CALENDLY, STRIPE
from innkeeper.events.signatures.zendesk import Zendesk
from innkeeper.kernel.registry import Registry

_ALL: tuple[Scheme, ...] = (
    SHOPIFY, STRIPE, GITHUB, INTERCOM, CALENDLY, TWILIO, MANDRILL, Standard(), Slack(), Zendesk(), HubSpot(), Mailgun(),
    SendGrid(), Sns(), BEARER, BASIC, InAddress(),
)  # fmt: skip
SCHEMES: Registry[Scheme] = Registry("scheme", {each.name: each for each in _ALL})

__all__ = ["SCHEMES", "TOLERANCE", "Forged", "Received", "Scheme", "Terms", "Verified"]
