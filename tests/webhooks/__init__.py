"""What Coze and automations tell us, from the request to the tab."""
