"""The company's help articles: reading, splitting, indexing, searching."""
