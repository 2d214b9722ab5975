"""Seeing the site as somebody else does: for support, by superusers, without acting, and told to whom it concerns."""
