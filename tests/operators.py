"""What an operator does before the first start."""


def configure(settings, running) -> None:
    """As an operator does it: not emulated, but credentials in the environment."""
    own = running.credentials
    settings.COZE_EMULATED = False
    settings.COZE_API_BASE = running.base_url
    settings.COZE_CLIENT_ID, settings.COZE_PUBLIC_KEY_ID = own.client_id, own.public_key_id
    settings.COZE_PRIVATE_KEY = own.private_key
    settings.COZE_WORKFLOW_ID, settings.COZE_APP_ID = own.workflow_id, own.app_id
