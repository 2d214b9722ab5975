"""Who did what to whose data: a trail to which rows are added and from which none is taken."""
