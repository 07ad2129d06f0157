"""Reading a .docx file and reducing it to what a mail can carry."""
