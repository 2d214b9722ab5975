"""What a person can quote so that an operator finds it in the log."""

from django import template

from cozechat import logs

register = template.Library()


@register.simple_tag
def request_id() -> str:
    """The id of this request, which all its lines carry; it needs no context, for a 500 has none."""
    return logs.request_id()
