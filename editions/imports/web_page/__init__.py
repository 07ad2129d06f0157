"""Reading a saved web page or newsletter (.html) and reducing it to the text, links and pictures it shows."""
