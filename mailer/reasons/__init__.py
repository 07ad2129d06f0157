"""Why mail servers refuse or return messages: a reason from their words and codes."""
