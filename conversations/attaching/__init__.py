"""Files that go with a question: taken in, shown to their owner, taken away."""
