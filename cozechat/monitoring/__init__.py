"""Is everything well, and what is to be mended: health for machines, diagnoses for people."""
