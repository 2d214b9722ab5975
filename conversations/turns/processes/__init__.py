"""What concerns several processes: what they tell each other, turns followed from afar, turns whose process has died."""
