"""What a Coze app signs in with, and the token that it gets for that."""

from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key, PEM text in any of the shapes people paste, and the id under which Coze knows its public half."""

    public_key_id: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one Coze OAuth app signs in with; `private_key` is PEM text in any of the shapes people paste.

    `other_key` is a second pair of the same app, while its keys rotate. With a `personal_token` nothing is signed
    at all: it is used as it is, and it cannot tell users apart.
    """

    base_url: str
    client_id: str
    public_key_id: str
    private_key: str = field(repr=False)
    audience: str | None = None
    send_session_name_in_body: bool = True
    assertion_in_body: bool = False
    other_key: KeyPair | None = None
    personal_token: str = field(default="", repr=False)

    @property
    def jwt_audience(self) -> str:
        """The `aud` claim: as configured, else host and port of the base URL without any user part."""
        return self.audience or urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def key(self) -> KeyPair:
        """The pair in use."""
        return KeyPair(self.public_key_id, self.private_key)

    def with_key(self, key: KeyPair) -> "Credentials":
        """The same app with this pair, and no other."""
        return replace(self, public_key_id=key.public_key_id, private_key=key.private_key, other_key=None)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A fresh access token and the epoch second at which it ends.

    `refusal` is why Coze did not take the key in use, where the app's other key had to buy the token.
    """

    token: str = field(repr=False)
    expires_at: float
    refusal: str = ""
