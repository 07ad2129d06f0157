"""Reading an OpenDocument text (.odt) and converting it to the HTML that an edition is made from."""
