"""What Coze and others tell us: stored once, answered at once, handled after."""
