"""What a template is given: the page of one edition in one language."""
