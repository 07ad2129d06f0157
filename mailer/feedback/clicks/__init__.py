"""Who followed a link of a newsletter: a person or a program, counted without saying who."""
