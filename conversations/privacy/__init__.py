"""What a person may know about their own data: who saw it, what there is, a copy of it, and its end."""
