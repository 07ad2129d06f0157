"""Reading a .docx file and reducing it to what an email can carry."""
