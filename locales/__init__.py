"""Countries and languages: their codes, their names, and what people write for them."""
