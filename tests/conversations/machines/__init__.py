"""State machines over the real turn engine: hypothesis plays people, network, crashes and Coze."""
