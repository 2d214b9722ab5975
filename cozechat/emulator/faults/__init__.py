"""Everything that can go wrong at Coze, on demand."""
