"""The index of what was said: which words stand in it, how they are kept, and which messages hold some of them."""
