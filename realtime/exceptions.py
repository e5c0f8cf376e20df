"""The errors of ``realtime``: each says what to do, and whether trying again helps."""


class RealtimeError(Exception):
    """Base of every error that ``realtime`` raises."""


class DeclarationError(RealtimeError):
    """A feed or a part is declared wrongly; raised at start-up, with the line to change."""


class BrokerError(RealtimeError):
    """The bus did not take a message. Nothing is lost: repair finds it in the database."""


class ForgedMessage(RealtimeError):
    """A message on the bus does not carry our signature; it is dropped and counted."""


class Trimmed(RealtimeError):
    """The version existed, and retention has removed it. Trying again does not help; newer ones are there."""


class NoTokenKey(RealtimeError):
    """There is no key to sign a bearer token with; says which setting to give one."""


class TokenTooLong(RealtimeError):
    """A bearer token was asked for that would last longer than tokens may; says how long they may."""


class BadFilter(RealtimeError):
    """A board was asked for by something that is no filter, or no value of it; says what may be asked."""
