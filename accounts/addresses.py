"""Where a request comes from, as far as a limit may count on it."""

from ipaddress import IPv6Address, ip_address, ip_network

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

# A household or a server gets at least so much of IPv6, and every address in it is free to use.
_IPV6_PREFIX = 64


def network_of(request: HttpRequest) -> str:
    """The IPv4 address, or the /64 of an IPv6 address; behind proxies as TRUSTED_PROXY_COUNT says."""
    address = ip_address(get_adapter().get_client_ip(request))
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), _IPV6_PREFIX), strict=False))
    return str(address)
