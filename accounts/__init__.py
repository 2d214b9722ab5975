"""Who uses the site: users, their log-ins, and the Coze tokens that speak in their names."""
