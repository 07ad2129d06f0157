"""The sections of a campaign's page, one module each: from the values of a report to what is shown."""
