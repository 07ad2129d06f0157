"""The pages of an edition's pictures: choosing, describing and cropping them."""
