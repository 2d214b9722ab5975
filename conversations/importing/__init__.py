"""Taking a conversation in again from the JSON in which its owner has saved it."""
